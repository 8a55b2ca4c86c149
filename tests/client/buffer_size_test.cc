// What a buffer's user asked for last is what everybody sees as its size,
// though the lease cache may have used its lease for other sizes before.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
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

namespace warmpool {
namespace {

using ::warmpool::testing::DaemonProcess;
using ::warmpool::testing::Eventually;

// Of one size class.
constexpr uint64_t kBefore = 5'300'000;
constexpr uint64_t kAsked = 6'220'800;

class BufferSizeTest : public ::testing::Test {
 protected:
  Client Connect(ClientOptions options = {}) {
    absl::StatusOr<Client> client =
        Client::Connect(daemon_.target(), std::move(options));
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  // From the lease cache, which has had it for another size.
  Buffer Reused() {
    { const Buffer before = giver_.Lease(kBefore).value(); }
    Buffer buffer = giver_.Lease(kAsked).value();
    EXPECT_EQ(buffer.size(), kAsked);
    EXPECT_EQ(giver_.lease_cache_stats().hits, 1u);
    return buffer;
  }

  uint64_t ListedSize(const std::string& name) {
    v1::ListBuffersRequest filter;
    filter.set_name_prefix(name);
    const auto buffers = admin_->ListBuffers(filter);
    EXPECT_THAT(buffers, IsOk());
    return buffers.ok() && buffers->size() == 1 ? buffers->front().size_bytes()
                                                : 0;
  }

  DaemonProcess daemon_{
      {"--capacity_bytes=256MiB", "--default_ttl=60s", "--drain_timeout=0"}};
  const std::shared_ptr<AdminCalls> admin_ =
      AdminCalls::Open(daemon_.target()).value();
  Client giver_ = Connect({.lease_cache_idle = absl::InfiniteDuration()});
  Client taker_ = Connect({.lease_cache_bytes = 0});
};

TEST_F(BufferSizeTest, AClaimedOneIsAsLargeAsItsGiverAsked) {
  Buffer buffer = Reused();
  const absl::StatusOr<std::string> ticket = buffer.MakeTicket();
  ASSERT_THAT(ticket, IsOk());
  EXPECT_EQ(taker_.Claim(*ticket).value().size(), kAsked);
}

TEST_F(BufferSizeTest, ASealedOneIsAsLargeAsItsGiverAsked) {
  Buffer buffer = Reused();
  ASSERT_THAT(buffer.Seal(), IsOk());
  EXPECT_EQ(taker_.Attach(buffer.name()).value().size(), kAsked);
  EXPECT_EQ(ListedSize(buffer.name()), kAsked);
}

TEST_F(BufferSizeTest, OneThatIsAttachedForWritingIsAsLargeAsItsGiverAsked) {
  const Buffer buffer = Reused();
  const std::string name = buffer.name();
  EXPECT_EQ(taker_.Attach(name, {.writable = true}).value().size(), kAsked);
  EXPECT_EQ(ListedSize(name), kAsked);
}

TEST_F(BufferSizeTest, WhatWasLeasedAheadOfNeedIsAsLargeAsItsGiverAsked) {
  std::vector<Buffer> buffers;
  // On a slow machine three leases may fall into three periods.
  for (int tries = 0; tries < 10 && giver_.lease_cache_stats().prefetched == 0;
       ++tries) {
    { const Buffer ready = taker_.Lease(kAsked).value(); }
    for (int i = 0; i < 3; ++i) buffers.push_back(giver_.Lease(kAsked).value());
    Eventually([&] { return giver_.lease_cache_stats().prefetched > 0; },
               absl::Seconds(1));
  }
  ASSERT_GT(giver_.lease_cache_stats().prefetched, 0u);
  Buffer buffer = giver_.Lease(kAsked).value();
  const std::string name = buffer.name();
  EXPECT_EQ(taker_.Attach(name, {.writable = true}).value().size(), kAsked);
}

TEST_F(BufferSizeTest, ASizeThatADaemonCouldNotBeToldIsToldToTheNext) {
  Client hasty = Connect({.deadline = absl::Milliseconds(100),
                          .lease_cache_idle = absl::InfiniteDuration()});
  { const Buffer before = hasty.Lease(kBefore).value(); }
  const Buffer buffer = hasty.Lease(kAsked).value();
  daemon_.Kill();
  const std::string name = buffer.name();
  daemon_.Restart();
  EXPECT_TRUE(Eventually([&] { return ListedSize(name) == kAsked; }));
  EXPECT_EQ(taker_.Attach(name, {.writable = true}).value().size(), kAsked);
}

// Random sequences over every way in which a lease is used again and a buffer
// is handed over.
class BufferSizeModelTest : public BufferSizeTest,
                            public ::testing::WithParamInterface<unsigned> {
 protected:
  struct Held {
    Buffer buffer;
    uint64_t asked = 0;
  };

  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // Within three size classes, so that most leases are reused for another size.
  uint64_t DrawBytes() {
    static constexpr uint64_t kClasses[] = {64 << 10, 1 << 20, 6 << 20};
    const uint64_t bytes = kClasses[Below(3)];
    return bytes - Below(bytes / 8);
  }

  void LeaseOne() {
    const uint64_t asked = DrawBytes();
    absl::StatusOr<Buffer> buffer = giver_.Lease(asked);
    ASSERT_THAT(buffer, IsOk());
    EXPECT_EQ(buffer->size(), asked);
    held_.push_back({*std::move(buffer), asked});
  }

  Held TakeOne() {
    std::swap(held_[Below(held_.size())], held_.back());
    Held taken = std::move(held_.back());
    held_.pop_back();
    return taken;
  }

  void AttachForWriting() {
    Held held = TakeOne();
    if (held.buffer.sealed()) return;
    const std::string name = held.buffer.name();
    absl::StatusOr<Buffer> attached = taker_.Attach(name, {.writable = true});
    ASSERT_THAT(attached, IsOk());
    EXPECT_EQ(attached->size(), held.asked);
    EXPECT_EQ(ListedSize(name), held.asked);
    ASSERT_THAT(attached->Release(), IsOk());
    held_.push_back(std::move(held));
  }

  void SealAndAttach() {
    Held held = TakeOne();
    // A name may be told before it is sealed, or after.
    std::optional<std::string> name;
    if (Below(2) == 0) name = held.buffer.name();
    ASSERT_THAT(held.buffer.Seal(), IsOk());
    if (!name.has_value()) name = held.buffer.name();
    const absl::StatusOr<Buffer> attached = taker_.Attach(*name);
    ASSERT_THAT(attached, IsOk());
    EXPECT_EQ(attached->size(), held.asked);
    EXPECT_EQ(ListedSize(*name), held.asked);
    if (Below(2) == 0) held_.push_back(std::move(held));
  }

  void Claim() {
    Held held = TakeOne();
    if (held.buffer.sealed()) return;
    const absl::StatusOr<std::string> ticket = held.buffer.MakeTicket();
    ASSERT_THAT(ticket, IsOk());
    if (Below(4) == 0) Restart();
    absl::StatusOr<Buffer> claimed =
        (Below(2) == 0 ? giver_ : taker_).Claim(*ticket);
    ASSERT_THAT(claimed, IsOk());
    EXPECT_EQ(claimed->size(), held.asked);
    held_.push_back({*std::move(claimed), held.asked});
  }

  void PassThroughAChannel() {
    const uint64_t asked = DrawBytes();
    absl::StatusOr<ChannelBuffer> given = sends_.Lease(asked);
    ASSERT_THAT(given, IsOk());
    absl::StatusOr<ChannelBuffer> taken = takes_.Take(given->Give().value());
    ASSERT_THAT(taken, IsOk());
    EXPECT_EQ(taken->size(), asked);
    absl::StatusOr<ChannelBuffer> back = sends_.Take(taken->Give().value());
    ASSERT_THAT(back, IsOk());
    EXPECT_EQ(back->size(), asked);
  }

  // With all leases taken up again.
  void Restart() {
    if (restarts_ == 0) return;
    --restarts_;
    daemon_.Restart();
    ASSERT_TRUE(Eventually([&] {
      const auto stats = admin_->GetStats();
      return stats.ok() && stats->leases().recovering_leases() == 0;
    }));
  }

  void Step() {
    const uint64_t draw = Below(100);
    if (held_.empty() || draw < 40) return LeaseOne();
    if (draw < 60) return (void)TakeOne();
    if (draw < 70) return AttachForWriting();
    if (draw < 80) return SealAndAttach();
    if (draw < 90) return Claim();
    if (draw < 97) return PassThroughAChannel();
    Restart();
  }

  std::mt19937_64 random_{GetParam()};
  Channel sends_ = giver_.OpenChannel("frames");
  Channel takes_ = taker_.OpenChannel("frames");
  std::vector<Held> held_;
  // How many may still come.
  int restarts_ = 3;
};

TEST_P(BufferSizeModelTest, EverybodySeesWhatWasAskedForLast) {
  for (int i = 0; i < 200 && !HasFailure(); ++i) {
    SCOPED_TRACE(absl::StrCat("step ", i));
    Step();
    while (held_.size() > 16) TakeOne();
  }
  EXPECT_GT(giver_.lease_cache_stats().hits, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BufferSizeModelTest, ::testing::Range(1u, 4u));

}  // namespace
}  // namespace warmpool
