// The client library over restarts of a real daemon.
#include <signal.h>

#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
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

constexpr uint64_t kBytes = 256 << 10;

class RestartTest : public ::testing::Test {
 protected:
  Client Connect() {
    absl::StatusOr<Client> client = Client::Connect(daemon_.target());
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }

  Buffer Lease(const std::string& name, absl::Duration ttl, char stamp) {
    absl::StatusOr<Buffer> buffer =
        client_.Lease(kBytes, {.name = name, .ttl = ttl});
    EXPECT_THAT(buffer, IsOk());
    std::memset(buffer->data(), stamp, buffer->size());
    return *std::move(buffer);
  }

  static void ExpectStamped(const Buffer& buffer, char stamp) {
    for (const std::byte byte : buffer.span()) {
      ASSERT_EQ(static_cast<char>(byte), stamp);
    }
  }

  v1::GetStatsResponse Stats() {
    absl::StatusOr<v1::GetStatsResponse> stats = admin_->GetStats();
    EXPECT_THAT(stats, IsOk());
    return *std::move(stats);
  }

  // All that daemons remember of their leases.
  void DeleteJournal() {
    ASSERT_TRUE(std::filesystem::exists(daemon_.shm_dir() + "/private"));
    int deleted = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator(daemon_.shm_dir() + "/private")) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() == ".seg") continue;
      std::filesystem::remove_all(entry.path());
      ++deleted;
    }
    ASSERT_GT(deleted, 0);
  }

  bool EventuallyHas(size_t leases) {
    return Eventually([&] { return Stats().leases().live_leases() == leases; });
  }

  DaemonProcess daemon_{
      {"--capacity_bytes=64MiB", "--default_ttl=60s", "--drain_timeout=0"}};
  const std::shared_ptr<AdminCalls> admin_ =
      AdminCalls::Open(daemon_.target()).value();
  Client client_ = Connect();
};

TEST_F(RestartTest, LeasesSurviveAKilledDaemon) {
  Buffer forever = Lease("forever", absl::ZeroDuration(), 'f');
  Buffer timed = Lease("timed", absl::Seconds(60), 't');
  daemon_.Restart();
  ExpectStamped(forever, 'f');
  EXPECT_THAT(forever.Renew(), IsOk());
  EXPECT_THAT(timed.Renew(), IsOk());
  EXPECT_EQ(Stats().leases().live_leases(), 2u);
  absl::StatusOr<Buffer> attached =
      Connect().Attach("timed", {.writable = true});
  ASSERT_THAT(attached, IsOk());
  ExpectStamped(*attached, 't');
  EXPECT_THAT(attached->Release(), IsOk());
  EXPECT_THAT(forever.Release(), IsOk());
  EXPECT_THAT(timed.Release(), IsOk());
  EXPECT_EQ(Stats().leases().live_leases(), 0u);
}

TEST_F(RestartTest, LeasesSurviveADaemonThatIsStopped) {
  Buffer buffer = Lease("b", absl::ZeroDuration(), 'b');
  EXPECT_EQ(daemon_.Terminate(), 0);
  daemon_.Restart();
  EXPECT_THAT(buffer.Renew(), IsOk());
  ExpectStamped(buffer, 'b');
  EXPECT_THAT(buffer.Release(), IsOk());
}

TEST_F(RestartTest, WhoeverWaitsForABufferWaitsOnAtTheNextDaemon) {
  Client other = Connect();
  std::thread waiter([&] {
    const absl::StatusOr<Buffer> attached =
        other.Attach("awaited", {.wait = absl::Minutes(5)});
    ASSERT_THAT(attached, IsOk());
    ExpectStamped(*attached, 'w');
  });
  absl::Notification called_back;
  client_.AttachAsync("awaited", {.wait = absl::Minutes(5)},
                      [&](absl::StatusOr<Buffer> attached) {
                        EXPECT_THAT(attached, IsOk());
                        called_back.Notify();
                      });
  const auto both_wait = [&] {
    return Stats().leases().waiting_attaches() == 2;
  };
  EXPECT_TRUE(Eventually(both_wait));
  EXPECT_EQ(daemon_.Terminate(), 0);
  daemon_.Restart();
  EXPECT_TRUE(Eventually(both_wait));
  Buffer buffer = Lease("awaited", absl::ZeroDuration(), 'w');
  EXPECT_THAT(buffer.Seal(), IsOk());
  waiter.join();
  called_back.WaitForNotification();
}

TEST_F(RestartTest, WhoeverWaitsKeepsNoConnectionThatWasLost) {
  const auto descriptors = [] {
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return std::distance(begin(open), end(open));
  };
  const auto before = descriptors();
  for (int i = 0; i < 5; ++i) {
    const std::string name = absl::StrCat("awaited/", i);
    absl::Notification called_back;
    client_.AttachAsync(name, {.wait = absl::Minutes(5)},
                        [&](absl::StatusOr<Buffer> attached) {
                          EXPECT_THAT(attached, IsOk());
                          called_back.Notify();
                        });
    const auto waits = [&] { return Stats().leases().waiting_attaches() == 1; };
    EXPECT_TRUE(Eventually(waits));
    daemon_.Restart();
    EXPECT_TRUE(Eventually(waits));
    Buffer buffer = Lease(name, absl::ZeroDuration(), 'w');
    EXPECT_THAT(buffer.Seal(), IsOk());
    called_back.WaitForNotification();
  }
  // gRPC's own, such as those of a new thread, are fewer.
  EXPECT_TRUE(Eventually([&] { return descriptors() <= before + 2; }))
      << descriptors() - before;
}

TEST_F(RestartTest, TicketsAndSealedBuffersGoOnAtTheNextDaemon) {
  Buffer sealed = Lease("sealed", absl::ZeroDuration(), 's');
  EXPECT_THAT(sealed.Seal({.linger = absl::Minutes(5)}), IsOk());
  EXPECT_THAT(sealed.Release(), IsOk());
  Buffer given = Lease("given", absl::ZeroDuration(), 'g');
  const absl::StatusOr<std::string> ticket = given.MakeTicket();
  ASSERT_THAT(ticket, IsOk());
  EXPECT_EQ(daemon_.Terminate(), 0);
  daemon_.Restart();
  const absl::StatusOr<Buffer> attached = client_.Attach("sealed");
  ASSERT_THAT(attached, IsOk());
  ExpectStamped(*attached, 's');
  const absl::StatusOr<Buffer> claimed = client_.Claim(*ticket);
  ASSERT_THAT(claimed, IsOk());
  ExpectStamped(*claimed, 'g');
}

TEST(DrainTest, ALeaseThatADrainingDaemonRefusesIsGrantedByTheNext) {
  DaemonProcess daemon({"--drain_timeout=5m"});
  absl::StatusOr<Client> client =
      Client::Connect(daemon.target(), {.deadline = absl::Minutes(5)});
  ASSERT_THAT(client, IsOk());
  absl::StatusOr<Buffer> held = client->Lease(kBytes);
  ASSERT_THAT(held, IsOk());
  const auto admin = AdminCalls::Open(daemon.target()).value();
  kill(daemon.pid(), SIGTERM);
  EXPECT_TRUE(Eventually([&] { return admin->GetStats()->draining(); }));
  std::thread late([&] { EXPECT_THAT(client->Lease(kBytes), IsOk()); });
  EXPECT_TRUE(Eventually(
      [&] { return admin->GetStats()->leases().refused_draining() > 0; }));
  // The second one ends the wait.
  EXPECT_EQ(daemon.Terminate(), 0);
  daemon.Restart();
  late.join();
  EXPECT_THAT(held->Renew(), IsOk());
}

TEST_F(RestartTest, WithoutItsJournalTheDaemonLearnsTheLeasesFromTheClient) {
  constexpr size_t kBuffers = 120;
  std::vector<Buffer> buffers;
  for (size_t i = 0; i < kBuffers; ++i) {
    buffers.push_back(
        Lease(absl::StrCat("b/", i),
              i % 2 == 0 ? absl::ZeroDuration() : absl::Seconds(60),
              static_cast<char>(i)));
  }
  daemon_.Kill();
  DeleteJournal();
  daemon_.Restart();
  EXPECT_TRUE(EventuallyHas(kBuffers));
  EXPECT_EQ(Stats().bytes().leased_bytes(), kBuffers * kBytes);
  for (size_t i = 0; i < kBuffers; ++i) {
    ExpectStamped(buffers[i], static_cast<char>(i));
    EXPECT_THAT(buffers[i].Renew(), IsOk());
  }
  absl::StatusOr<Buffer> attached = Connect().Attach("b/7", {.writable = true});
  ASSERT_THAT(attached, IsOk());
  ExpectStamped(*attached, 7);
  EXPECT_THAT(attached->Release(), IsOk());
  for (Buffer& buffer : buffers) EXPECT_THAT(buffer.Release(), IsOk());
  EXPECT_EQ(Stats().leases().live_leases(), 0u);
  EXPECT_TRUE(
      Eventually([&] { return Stats().bytes().quarantined_bytes() == 0; }));
}

TEST_F(RestartTest, AttachedBuffersAreLearntAsWell) {
  Buffer buffer = Lease("shared", absl::ZeroDuration(), 's');
  Client other = Connect();
  absl::StatusOr<Buffer> attached = other.Attach("shared", {.writable = true});
  ASSERT_THAT(attached, IsOk());
  daemon_.Kill();
  DeleteJournal();
  daemon_.Restart();
  EXPECT_TRUE(EventuallyHas(2));
  EXPECT_EQ(Stats().bytes().leased_bytes(), kBytes);
  EXPECT_THAT(buffer.Release(), IsOk());
  ExpectStamped(*attached, 's');
  EXPECT_THAT(attached->Renew(), IsOk());
  EXPECT_THAT(attached->Release(), IsOk());
}

TEST_F(RestartTest, ShortLeasesGoOnAfterTheRestart) {
  constexpr absl::Duration kTtl = absl::Seconds(2);
  Buffer buffer = Lease("short", kTtl, 'x');
  daemon_.Kill();
  DeleteJournal();
  daemon_.Restart();
  EXPECT_TRUE(EventuallyHas(1));
  // For longer than its time to live.
  const uint64_t renewed = Stats().leases().renewed();
  EXPECT_TRUE(
      Eventually([&] { return Stats().leases().renewed() >= renewed + 5; }));
  EXPECT_EQ(Stats().leases().expired(), 0u);
  EXPECT_THAT(buffer.Renew(), IsOk());
  EXPECT_THAT(buffer.Release(), IsOk());
}

TEST_F(RestartTest, OfALeaseWhoseSegmentIsGoneARenewalTells) {
  Buffer buffer = Lease("gone", absl::ZeroDuration(), 'g');
  daemon_.Kill();
  std::filesystem::remove_all(daemon_.shm_dir());
  daemon_.Restart();
  EXPECT_TRUE(Eventually([&] { return absl::IsNotFound(buffer.Renew()); }));
  ExpectStamped(buffer, 'g');
  EXPECT_THAT(buffer.Release(), IsOk());
}

TEST_F(RestartTest, WhatWasReleasedWithoutADaemonEndsWhenItIsBack) {
  absl::StatusOr<Client> hasty =
      Client::Connect(daemon_.target(), {.deadline = absl::Milliseconds(100)});
  ASSERT_THAT(hasty, IsOk());
  absl::StatusOr<Buffer> buffer =
      hasty->Lease(kBytes, {.ttl = absl::ZeroDuration()});
  ASSERT_THAT(buffer, IsOk());
  daemon_.Kill();
  EXPECT_THAT(buffer->Release(), StatusIs(absl::StatusCode::kUnavailable));
  daemon_.Restart();
  EXPECT_TRUE(EventuallyHas(0));
}

}  // namespace
}  // namespace warmpool
