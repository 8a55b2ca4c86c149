// The client library with its lease cache, against a real daemon.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/admin/admin_calls.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace {
thread_local uint64_t allocations = 0;
}  // namespace

// Every allocation of this binary is counted, by thread.
void* operator new(size_t bytes) {
  ++allocations;
  if (void* const memory = std::malloc(bytes)) return memory;
  std::abort();
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const size_t align = static_cast<size_t>(alignment);
  if (void* const memory =
          std::aligned_alloc(align, (bytes + align - 1) / align * align)) {
    return memory;
  }
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace warmpool {
namespace {

using ::warmpool::testing::DaemonProcess;
using ::warmpool::testing::Eventually;

constexpr uint64_t kTwoMiB = 2 << 20;

class CachedClientTest : public ::testing::Test {
 protected:
  Client Connect(ClientOptions options = {}) {
    absl::StatusOr<Client> client =
        Client::Connect(daemon_.target(), std::move(options));
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  v1::GetStatsResponse Stats() {
    absl::StatusOr<v1::GetStatsResponse> stats = observer_->GetStats();
    EXPECT_THAT(stats, IsOk());
    return *std::move(stats);
  }

  DaemonProcess daemon_{{"--capacity_bytes=64MiB", "--bigcache_decay=inf"}};
  const std::shared_ptr<AdminCalls> observer_ =
      AdminCalls::Open(daemon_.target()).value();
  // What is cached stays until something asks for it.
  Client client_ = Connect({.lease_cache_idle = absl::InfiniteDuration()});
};

TEST_F(CachedClientTest, TheHotPairAllocatesNothingAndAsksNobody) {
  EXPECT_THAT(client_.Lease(kTwoMiB), IsOk());
  const uint64_t before = allocations;
  for (int i = 0; i < 1000; ++i) {
    absl::StatusOr<Buffer> buffer = client_.Lease(kTwoMiB);
    if (!buffer.ok()) FAIL();
    buffer->data()[0] = std::byte{1};
  }
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(client_.lease_cache_stats().hits, 1000u);
  const v1::LeaseCounts leases = Stats().leases();
  EXPECT_EQ(leases.granted_fresh() + leases.granted_warm(), 1u);
  EXPECT_EQ(leases.live_leases(), 1u) << "kept";
}

TEST_F(CachedClientTest, WhatIsKeptIsWarmAndHasItsOldBytes) {
  {
    absl::StatusOr<Buffer> buffer = client_.Lease(kTwoMiB);
    ASSERT_THAT(buffer, IsOk());
    std::memset(buffer->data(), 'w', buffer->size());
  }
  absl::StatusOr<Buffer> again = client_.Lease(kTwoMiB);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->warmth(), BufferWarmth::kWarm);
  EXPECT_EQ(again->data()[kTwoMiB - 1], std::byte{'w'});
}

TEST_F(CachedClientTest, AFullDaemonGetsBackWhatIsIdleHere) {
  std::vector<Buffer> buffers;
  for (int i = 0; i < 30; ++i) {
    absl::StatusOr<Buffer> buffer = client_.Lease(kTwoMiB);
    ASSERT_THAT(buffer, IsOk());
    buffers.push_back(*std::move(buffer));
  }
  buffers.clear();
  EXPECT_EQ(client_.lease_cache_stats().idle_bytes, 30 * kTwoMiB);
  EXPECT_THAT(client_.Lease(16 << 20), IsOk());
  // Another one where something was leased ahead when room ran out.
  EXPECT_GE(client_.lease_cache_stats().trims, 1u);
}

TEST_F(CachedClientTest, AllIsReleasedWithItsClient) {
  std::vector<Buffer> buffers;
  {
    Client passing = Connect();
    for (int i = 0; i < 10; ++i) {
      absl::StatusOr<Buffer> buffer = passing.Lease(kTwoMiB);
      ASSERT_THAT(buffer, IsOk());
      buffers.push_back(*std::move(buffer));
    }
    buffers.resize(1);
    // It may have some ahead of need.
    EXPECT_GE(Stats().leases().live_leases(), 10u);
  }
  EXPECT_TRUE(Eventually([&] { return Stats().leases().live_leases() == 1; }));
  buffers.clear();
  EXPECT_TRUE(Eventually([&] { return Stats().leases().live_leases() == 0; }));
  EXPECT_EQ(Stats().bigcache().failed_proofs(), 0u);
  EXPECT_EQ(Stats().bytes().quarantined_bytes(), 0u);
}

TEST_F(CachedClientTest, WhatIsLeasedAgainAndAgainIsThereAheadOfNeed) {
  {
    Client passing = Connect();
    std::vector<Buffer> warm;
    for (int i = 0; i < 24; ++i) {
      absl::StatusOr<Buffer> buffer = passing.Lease(kTwoMiB);
      ASSERT_THAT(buffer, IsOk());
      warm.push_back(*std::move(buffer));
    }
  }
  EXPECT_TRUE(Eventually([&] { return Stats().bytes().retained_bytes() > 0; }));
  std::vector<Buffer> buffers;
  const auto lease = [&] {
    absl::StatusOr<Buffer> buffer = client_.Lease(kTwoMiB);
    EXPECT_THAT(buffer, IsOk());
    if (buffer.ok()) buffers.push_back(*std::move(buffer));
  };
  // On a slow machine three leases may fall into three periods.
  for (int tries = 0; tries < 6 && client_.lease_cache_stats().prefetched == 0;
       ++tries) {
    for (int i = 0; i < 3; ++i) lease();
    Eventually([&] { return client_.lease_cache_stats().prefetched > 0; },
               /*within=*/absl::Seconds(1));
  }
  EXPECT_GT(client_.lease_cache_stats().prefetched, 0u);
  const uint64_t granted = Stats().leases().granted_warm();
  while (client_.lease_cache_stats().idle_leases > 0) {
    lease();
    EXPECT_EQ(buffers.back().warmth(), BufferWarmth::kWarm);
    buffers.back().data()[0] = std::byte{1};
  }
  EXPECT_GT(client_.lease_cache_stats().hits, 0u);
  EXPECT_EQ(client_.lease_cache_stats().prefetched_unused, 0u);
  EXPECT_EQ(Stats().leases().granted_warm(), granted);
}

TEST_F(CachedClientTest, WhatNobodyLeasesGoesBackByItself) {
  Client forgetful = Connect({.lease_cache_idle = absl::Milliseconds(50)});
  EXPECT_THAT(forgetful.Lease(kTwoMiB), IsOk());
  EXPECT_TRUE(Eventually([&] { return Stats().leases().live_leases() == 0; }));
  EXPECT_EQ(Stats().bytes().retained_bytes(), kTwoMiB);
  EXPECT_EQ(forgetful.lease_cache_stats().released_surplus, 1u);
}

}  // namespace
}  // namespace warmpool
