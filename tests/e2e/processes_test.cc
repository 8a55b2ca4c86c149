// Several client processes against a real daemon.
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr char kClient[] = "tests/e2e/pattern_client";
constexpr uint64_t kTwoMiB = 2 << 20;
// What the daemon promises after the death of a client.
constexpr absl::Duration kBackWithin = absl::Seconds(1);

class ProcessesTest : public ::testing::Test {
 protected:
  std::unique_ptr<ChildProcess> Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), kClient);
    arguments.insert(arguments.begin() + 2, daemon_.target());
    return std::make_unique<ChildProcess>(arguments);
  }

  // A process that holds a buffer of 2 MiB of that name.
  std::unique_ptr<ChildProcess> Hold(const std::string& name,
                                     std::string* lease_id) {
    auto holder = Run({"hold", name, absl::StrCat(kTwoMiB)});
    *lease_id = absl::HexStringToBytes(holder->ReadLine());
    EXPECT_EQ(lease_id->size(), 16u);
    return holder;
  }

  v1::ByteAccount Bytes() { return client_.Stats().bytes(); }
  static uint64_t Granted(const v1::LeaseCounts& leases) {
    return leases.granted_warm() + leases.granted_stock() +
           leases.granted_fresh();
  }

  DaemonProcess daemon_{{"--bigcache_decay=inf", "--capacity_bytes=256MiB"}};
  RawClient client_{daemon_.target()};
};

TEST_F(ProcessesTest, NobodySeesAnothersBytesUnderLoad) {
  std::vector<std::unique_ptr<ChildProcess>> clients;
  for (int i = 0; i < 4; ++i) {
    // Without lease caches, so that the daemon does it all.
    clients.push_back(Run({"churn", absl::StrCat(i), "1500", "0"}));
  }
  for (const auto& client : clients) {
    EXPECT_EQ(client->ReadLine(), "ok");
    EXPECT_EQ(client->Wait(), 0);
  }
  EXPECT_EQ(Bytes().leased_bytes(), 0u);
  const v1::GetStatsResponse stats = client_.Stats();
  EXPECT_EQ(Granted(stats.leases()), 6000u);
  EXPECT_GT(stats.bigcache().hits(), 0u);
  EXPECT_EQ(stats.batch().failed_calls(), 0u);
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_TRUE(daemon_.SegmentFiles().empty());
}

TEST_F(ProcessesTest, NobodySeesAnothersBytesWhereClientsKeepTheirLeases) {
  std::vector<std::unique_ptr<ChildProcess>> clients;
  for (int i = 0; i < 4; ++i) {
    // Little enough that much goes back and forth.
    clients.push_back(Run({"churn", absl::StrCat(i), "1500", "4194304"}));
  }
  for (const auto& client : clients) {
    EXPECT_EQ(client->ReadLine(), "ok");
    EXPECT_EQ(client->Wait(), 0);
  }
  EXPECT_TRUE(Eventually([&] { return Bytes().leased_bytes() == 0; }));
  EXPECT_EQ(Bytes().quarantined_bytes(), 0u);
  const v1::GetStatsResponse stats = client_.Stats();
  EXPECT_LT(Granted(stats.leases()), 6000u);
  EXPECT_EQ(stats.bigcache().failed_proofs(), 0u);
}

TEST_F(ProcessesTest, WhatAKilledClientHeldIsBackWithinASecond) {
  std::string lease_id;
  const auto holder = Hold("held", &lease_id);
  EXPECT_EQ(Bytes().leased_bytes(), kTwoMiB);
  holder->Signal(SIGKILL);
  holder->Wait();
  EXPECT_TRUE(Eventually([&] { return Bytes().retained_bytes() == kTwoMiB; },
                         kBackWithin));
  EXPECT_EQ(client_.Stats().leases().holder_died(), 1u);
  v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
  request.set_name("held");
  EXPECT_EQ(client_.MustLease(request).warmth(), v1::WARMTH_WARM);
}

// Leases of many buffers take long to end. Whoever dies next has his share of
// that.
TEST_F(ProcessesTest, WhoDiesBehindOneWithManyLeasesDoesNotWaitForAllOfThem) {
  const auto hoarder = Run({"hoard", "many/", "5000"});
  ASSERT_EQ(hoarder->ReadLine(), "hoarded");
  std::string lease_id;
  const auto holder = Hold("many/999-other", &lease_id);
  // A holder's leases end in the order of their buffers' names: this is the
  // last.
  v1::WatchBuffersRequest watch;
  watch.set_name_prefix("many/999");
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  const auto events = client_.stub().WatchBuffers(&context, watch);
  v1::BufferEvent event;
  ASSERT_TRUE(events->Read(&event));

  // So that the daemon sees both deaths, in their order, whatever they take.
  kill(daemon_.pid(), SIGSTOP);
  for (ChildProcess* const dying : {hoarder.get(), holder.get()}) {
    dying->Signal(SIGKILL);
    dying->Wait();
  }
  kill(daemon_.pid(), SIGCONT);
  std::vector<std::string> ended;
  while (ended.size() < 2 && events->Read(&event)) {
    if (event.kind() == v1::BufferEvent::KIND_ENDED) {
      ended.push_back(event.name());
    }
  }
  context.TryCancel();
  EXPECT_EQ(ended, (std::vector<std::string>{"many/999-other", "many/999"}));
}

TEST_F(ProcessesTest, AnAttachedProcessKeepsTheBytesWhenTheirWriterDies) {
  std::string lease_id;
  const auto holder = Hold("frames", &lease_id);
  const auto viewer = Run({"view", "frames"});
  ASSERT_EQ(viewer->ReadLine(), "attached");
  viewer->WriteLine("check");
  EXPECT_EQ(viewer->ReadLine(), "intact");
  holder->Signal(SIGKILL);
  holder->Wait();
  EXPECT_TRUE(
      Eventually([&] { return client_.Stats().leases().live_leases() == 1; }));
  EXPECT_EQ(Bytes().leased_bytes(), kTwoMiB);
  client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  viewer->WriteLine("check");
  EXPECT_EQ(viewer->ReadLine(), "intact");
}

TEST_F(ProcessesTest, AReaderCannotWrite) {
  std::string lease_id;
  const auto holder = Hold("frames", &lease_id);
  EXPECT_EQ(Run({"scribble", "frames"})->Wait(), 128 + SIGSEGV);
}

TEST_F(ProcessesTest, AForeignLeaseIsRefusedAndOnlyRevokedByName) {
  std::string lease_id;
  const auto holder = Hold("theirs", &lease_id);
  v1::ReleaseRequest release;
  release.add_leases()->set_lease_id(lease_id);
  EXPECT_EQ(client_.Release(release).code(),
            grpc::StatusCode::PERMISSION_DENIED);
  v1::RenewRequest renew;
  renew.add_renewals()->mutable_lease()->set_lease_id(lease_id);
  v1::RenewResponse renewed;
  ASSERT_TRUE(client_.Call(&RawClient::Stub::Renew, renew, &renewed).ok());
  EXPECT_EQ(renewed.renewed(0).result().code(),
            grpc::StatusCode::PERMISSION_DENIED);

  release.set_revoke(true);
  EXPECT_EQ(client_.Release(release).code(), 0);
  // Its holder still has it mapped, so it is not leased again until that
  // process ends.
  EXPECT_EQ(Bytes().quarantined_bytes(), kTwoMiB);
  holder->Signal(SIGKILL);
  holder->Wait();
  EXPECT_TRUE(Eventually([&] { return Bytes().quarantined_bytes() == 0; }));
}

TEST_F(ProcessesTest, ARevokedLeaseLeavesTheLeaseCache) {
  const auto client = Run({"cling"});
  v1::ReleaseRequest release;
  release.add_leases()->set_lease_id(
      absl::HexStringToBytes(client->ReadLine()));
  release.set_revoke(true);
  EXPECT_EQ(client_.Release(release).code(), 0);
  client->WriteLine("go on");
  EXPECT_EQ(client->ReadLine(), "another");
  EXPECT_EQ(client->Wait(), 0);
  EXPECT_TRUE(Eventually([&] {
    return Bytes().leased_bytes() == 0 && Bytes().quarantined_bytes() == 0;
  }));
}

TEST_F(ProcessesTest, AClientThatIsKilledAgainAndAgainLeaksNothing) {
  for (int i = 0; i < 20; ++i) {
    const auto churning = Run({"churn", absl::StrCat(i), "1000000"});
    EXPECT_TRUE(
        Eventually([&] { return client_.Stats().leases().live_leases() > 0; }));
    churning->Signal(SIGKILL);
    churning->Wait();
    EXPECT_TRUE(Eventually(
        [&] {
          const v1::ByteAccount bytes = Bytes();
          return bytes.leased_bytes() == 0 && bytes.quarantined_bytes() == 0;
        },
        kBackWithin));
  }
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_TRUE(daemon_.SegmentFiles().empty());
}

}  // namespace
}  // namespace warmpool::testing
