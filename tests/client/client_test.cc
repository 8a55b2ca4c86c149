// The client library against a real daemon.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
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

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::warmpool::testing::DaemonProcess;
using ::warmpool::testing::Eventually;

constexpr uint64_t kTwoMiB = 2 << 20;

class ClientTest : public ::testing::Test {
 protected:
  Client Connect(ClientOptions options = {}) {
    absl::StatusOr<Client> client =
        Client::Connect(daemon_.target(), std::move(options));
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  v1::GetStatsResponse Stats() {
    absl::StatusOr<v1::GetStatsResponse> stats = admin_->GetStats();
    EXPECT_THAT(stats, IsOk());
    return *std::move(stats);
  }

  DaemonProcess daemon_{{"--capacity_bytes=64MiB", "--default_ttl=0",
                         "--bigcache_decay=inf", "--drain_timeout=30s"}};
  const std::shared_ptr<AdminCalls> admin_ =
      AdminCalls::Open(daemon_.target()).value();
  // What is released goes back to the daemon.
  Client client_ = Connect({.lease_cache_bytes = 0});
};

TEST_F(ClientTest, AReleasedBufferIsLeasedAgainWarm) {
  absl::StatusOr<Buffer> buffer = client_.Lease(kTwoMiB);
  ASSERT_THAT(buffer, IsOk());
  EXPECT_EQ(buffer->warmth(), BufferWarmth::kFresh);
  EXPECT_TRUE(buffer->zeroed());
  std::memset(buffer->data(), 'w', buffer->size());
  ASSERT_THAT(buffer->Release(), IsOk());
  EXPECT_EQ(Stats().bytes().retained_bytes(), kTwoMiB);
  EXPECT_EQ(Stats().bytes().quarantined_bytes(), 0u);

  buffer = client_.Lease(kTwoMiB);
  ASSERT_THAT(buffer, IsOk());
  EXPECT_EQ(buffer->warmth(), BufferWarmth::kWarm);
  EXPECT_FALSE(buffer->zeroed());
  EXPECT_EQ(buffer->data()[kTwoMiB - 1], std::byte{'w'});

  absl::StatusOr<Buffer> zeroed = client_.Lease(kTwoMiB, {.zeroed = true});
  ASSERT_THAT(zeroed, IsOk());
  EXPECT_TRUE(zeroed->zeroed());
  EXPECT_EQ(zeroed->data()[kTwoMiB - 1], std::byte{0});
}

TEST_F(ClientTest, SizesAreWhatWasAskedForAndAllOfItCanBeWritten) {
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{4096}, uint64_t{65537},
                               kTwoMiB - 1, kTwoMiB, 3 * kTwoMiB + 1}) {
    absl::StatusOr<Buffer> buffer = client_.Lease(bytes);
    ASSERT_THAT(buffer, IsOk());
    EXPECT_EQ(buffer->size(), bytes);
    EXPECT_GE(buffer->mapped_size(), bytes);
    std::memset(buffer->data(), 1, buffer->mapped_size());
  }
  EXPECT_TRUE(Eventually([&] { return Stats().leases().live_leases() == 0; }));
}

TEST_F(ClientTest, ErrorsAreTheDaemons) {
  EXPECT_THAT(client_.Lease(0), StatusIs(absl::StatusCode::kInvalidArgument,
                                         HasSubstr("size 0")));
  EXPECT_THAT(client_.Lease(1, {.name = "no spaces"}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(client_.Lease(1, {.ttl = -absl::Seconds(5)}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(
      client_.Lease(65 << 20),
      StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("bytes free")));
  EXPECT_THAT(client_.Attach("nobody"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nobody")));
  EXPECT_THAT(admin_->Revoke(std::string(16, 'x')),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(admin_->WatchStats(absl::Nanoseconds(1),
                                 [](const auto&) { return true; }),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ClientTest, AnAttachedBufferHasTheSameBytes) {
  absl::StatusOr<Buffer> lease = client_.Lease(kTwoMiB, {.name = "frames/0"});
  ASSERT_THAT(lease, IsOk());
  EXPECT_TRUE(lease->writable());
  EXPECT_THAT(client_.Lease(1, {.name = "frames/0"}),
              StatusIs(absl::StatusCode::kAlreadyExists));
  Client other = Connect();
  absl::StatusOr<Buffer> reader = other.Attach("frames/0", {.writable = true});
  ASSERT_THAT(reader, IsOk());
  EXPECT_FALSE(reader->zeroed());
  EXPECT_EQ(reader->generation(), lease->generation());
  EXPECT_NE(reader->lease_id(), lease->lease_id());
  absl::StatusOr<Buffer> writer = other.Attach("frames/0", {.writable = true});
  ASSERT_THAT(writer, IsOk());
  EXPECT_TRUE(writer->writable());
  writer->data()[5] = std::byte{7};
  EXPECT_EQ(lease->data()[5], std::byte{7});
  EXPECT_EQ(reader->data()[5], std::byte{7});
  EXPECT_EQ(Stats().bytes().leased_bytes(), kTwoMiB);
  EXPECT_THAT(lease->Release(), IsOk());
  EXPECT_EQ(reader->data()[5], std::byte{7});
}

TEST_F(ClientTest, LeasesOutliveTheirTimeToLiveWhileTheyAreRenewed) {
  absl::StatusOr<Buffer> kept =
      client_.Lease(4096, {.ttl = absl::Milliseconds(300)});
  ASSERT_THAT(kept, IsOk());
  EXPECT_EQ(kept->ttl(), absl::Milliseconds(300));
  Client careless = Connect({.renew_leases = false});
  absl::StatusOr<Buffer> lost =
      careless.Lease(4096, {.ttl = absl::Milliseconds(300)});
  ASSERT_THAT(lost, IsOk());
  EXPECT_THAT(lost->Renew(), IsOk());
  EXPECT_TRUE(Eventually([&] { return Stats().leases().expired() == 1; }));
  EXPECT_TRUE(Eventually([&] { return Stats().leases().renewed() >= 5; }));
  EXPECT_EQ(Stats().leases().expired(), 1u);
  EXPECT_THAT(lost->Renew(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(lost->Release(), StatusIs(absl::StatusCode::kFailedPrecondition,
                                        HasSubstr("expired")));
  EXPECT_THAT(kept->Release(), IsOk());
}

TEST_F(ClientTest, ALeaseThatEndedElsewhereKeepsItsPagesUntilItsRelease) {
  absl::StatusOr<Buffer> buffer = client_.Lease(kTwoMiB);
  ASSERT_THAT(buffer, IsOk());
  EXPECT_THAT(admin_->Revoke(buffer->lease_id()), IsOk());
  EXPECT_THAT(buffer->Renew(), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_TRUE(buffer->valid());
  std::memset(buffer->data(), 1, buffer->size());
  EXPECT_TRUE(Eventually(
      [&] { return Stats().bytes().quarantined_bytes() == kTwoMiB; }));
  EXPECT_THAT(buffer->Release(), IsOk());
  EXPECT_TRUE(
      Eventually([&] { return Stats().bytes().quarantined_bytes() == 0; }));
}

TEST_F(ClientTest, ListsAllBuffersHoweverMany) {
  constexpr size_t kBuffers = 1100;
  std::vector<Buffer> buffers;
  for (size_t i = 0; i < kBuffers; ++i) {
    absl::StatusOr<Buffer> buffer =
        client_.Lease(1, {.name = absl::StrCat("many/", i)});
    ASSERT_THAT(buffer, IsOk());
    buffers.push_back(*std::move(buffer));
  }
  absl::StatusOr<Buffer> other = client_.Lease(1, {.name = "other"});
  ASSERT_THAT(other, IsOk());
  const absl::StatusOr<std::vector<v1::Buffer>> all = admin_->ListBuffers();
  ASSERT_THAT(all, IsOk());
  EXPECT_EQ(all->size(), kBuffers + 1);
  v1::ListBuffersRequest filter;
  filter.set_name_prefix("other");
  const absl::StatusOr<std::vector<v1::Buffer>> some =
      admin_->ListBuffers(filter);
  ASSERT_THAT(some, IsOk());
  ASSERT_EQ(some->size(), 1u);
  EXPECT_EQ(some->front().leases(0).pid(), getpid());
}

TEST_F(ClientTest, WatchesStatisticsUntilToldToStop) {
  int answers = 0;
  EXPECT_THAT(admin_->WatchStats(absl::Milliseconds(100),
                                 [&](const v1::GetStatsResponse& stats) {
                                   EXPECT_EQ(stats.pid(), daemon_.pid());
                                   return ++answers < 2;
                                 }),
              IsOk());
  EXPECT_EQ(answers, 2);
  EXPECT_THAT(
      admin_->WatchStats(absl::Milliseconds(100),
                         [&](const auto&) {
                           daemon_.Kill();
                           return true;
                         }),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(daemon_.target())));
}

TEST_F(ClientTest, WatchesBuffersUntilToldToStop) {
  Client other = Connect();
  absl::StatusOr<Buffer> buffer = absl::UnknownError("none");
  std::vector<v1::BufferEvent::Kind> kinds;
  EXPECT_THAT(admin_->WatchBuffers("frames/",
                                   [&](const v1::BufferEvent& event) {
                                     kinds.push_back(event.kind());
                                     switch (event.kind()) {
                                       case v1::BufferEvent::KIND_RESYNC:
                                         buffer = other.Lease(
                                             4096, {.name = "frames/0"});
                                         return buffer.ok();
                                       case v1::BufferEvent::KIND_CREATED:
                                         EXPECT_EQ(event.name(), "frames/0");
                                         return buffer->Release().ok();
                                       default: return false;
                                     }
                                   }),
              IsOk());
  EXPECT_THAT(kinds, ElementsAre(v1::BufferEvent::KIND_RESYNC,
                                 v1::BufferEvent::KIND_CREATED,
                                 v1::BufferEvent::KIND_ENDED));
  EXPECT_THAT(
      admin_->WatchBuffers("",
                           [&](const auto&) {
                             daemon_.Kill();
                             return true;
                           }),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(daemon_.target())));
}

TEST_F(ClientTest, ConcurrentReleasesAreNeverOfAMappedSegment) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this] {
      for (int round = 0; round < 50; ++round) {
        absl::StatusOr<Buffer> buffer = client_.Lease(1 << 20);
        ASSERT_THAT(buffer, IsOk());
        std::memset(buffer->data(), round, buffer->size());
        EXPECT_THAT(buffer->Release(), IsOk());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Each was retained, none set aside.
  EXPECT_TRUE(Eventually(
      [&] { return Stats().bigcache().retained_total() == 8u * 50; }));
  const v1::GetStatsResponse stats = Stats();
  EXPECT_EQ(stats.leases().live_leases(), 0u);
  EXPECT_EQ(stats.bytes().quarantined_bytes(), 0u);
  EXPECT_EQ(stats.bigcache().failed_proofs(), 0u);
}

TEST_F(ClientTest, ASecondDaemonServesTheSameClient) {
  daemon_.Restart();
  EXPECT_THAT(client_.Lease(kTwoMiB), IsOk());
}

TEST_F(ClientTest, AShutdownDrainsTheDaemon) {
  absl::StatusOr<Buffer> buffer = client_.Lease(kTwoMiB);
  ASSERT_THAT(buffer, IsOk());
  const absl::StatusOr<v1::ShutdownResponse> response =
      admin_->Shutdown(/*revoke=*/false);
  ASSERT_THAT(response, IsOk());
  EXPECT_EQ(response->live_leases(), 1u);
  absl::StatusOr<Client> hasty =
      Client::Connect(daemon_.target(), {.deadline = absl::Milliseconds(200)});
  ASSERT_THAT(hasty, IsOk());
  EXPECT_THAT(hasty->Lease(1),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("draining")));
  EXPECT_THAT(buffer->Release(), IsOk());
}

TEST_F(ClientTest, AForkedChildLeavesTheParentsLease) {
  absl::StatusOr<Buffer> buffer = client_.Lease(kTwoMiB);
  ASSERT_THAT(buffer, IsOk());
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    {
      const Buffer inherited = *std::move(buffer);
      const Client inherited_client = std::move(client_);
    }
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(Stats().leases().live_leases(), 1u);
  EXPECT_THAT(buffer->Release(), IsOk());
}

}  // namespace
}  // namespace warmpool
