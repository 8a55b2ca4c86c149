// What GetStats and ListHolders tell, against a real daemon.
#include <unistd.h>

#include <string>

#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint64_t kTwoMiB = 2 << 20;

class StatsRpcTest : public ::testing::Test {
 protected:
  static const v1::SizeClassStats& ClassOf(const v1::GetStatsResponse& stats,
                                           uint64_t segment_bytes) {
    for (const v1::SizeClassStats& size_class : stats.size_classes()) {
      if (size_class.segment_bytes() == segment_bytes) return size_class;
    }
    ADD_FAILURE() << "nothing of " << segment_bytes;
    return v1::SizeClassStats::default_instance();
  }

  static v1::RpcStats RpcOf(const v1::GetStatsResponse& stats,
                            const std::string& method) {
    for (const v1::RpcStats& rpc : stats.rpcs()) {
      if (rpc.method() == method) return rpc;
    }
    return v1::RpcStats();
  }

  v1::ListHoldersResponse ListHolders(uint32_t limit = 0) {
    v1::ListHoldersRequest request;
    request.set_limit(limit);
    v1::ListHoldersResponse response;
    const grpc::Status status =
        client_.Call(&RawClient::Stub::ListHolders, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  DaemonProcess daemon_{
      {"--capacity_bytes=64MiB", "--bigcache_decay=inf", "--stock_bytes=0"}};
  RawClient client_{daemon_.target()};
};

TEST_F(StatsRpcTest, SizeClassesTellWhatTheWholeIsMadeOf) {
  const v1::GrantedLease large = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  client_.MustLease(RawClient::LeaseOf(64 << 10));
  EXPECT_EQ(client_.Release(RawClient::ReleaseOf(large)).code(), 0);
  client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  EXPECT_EQ(client_
                .Release(RawClient::ReleaseOf(
                    client_.MustLease(RawClient::LeaseOf(kTwoMiB))))
                .code(),
            0);

  const v1::GetStatsResponse stats = client_.Stats();
  ASSERT_EQ(stats.size_classes_size(), 2);
  EXPECT_EQ(stats.size_classes(0).segment_bytes(), 64u << 10);
  EXPECT_EQ(stats.size_classes(0).leased_bytes(), 64u << 10);
  EXPECT_EQ(stats.size_classes(0).granted_fresh(), 1u);
  const v1::SizeClassStats& of_large = ClassOf(stats, kTwoMiB);
  EXPECT_EQ(of_large.leased_bytes(), kTwoMiB);
  EXPECT_EQ(of_large.retained_bytes(), kTwoMiB);
  EXPECT_EQ(of_large.granted_warm(), 1u);
  EXPECT_EQ(of_large.granted_fresh(), 2u);
  EXPECT_EQ(of_large.bigcache().hits(), 1u);
  EXPECT_EQ(of_large.bigcache().misses_empty(), 2u);
  EXPECT_GE(of_large.ring_slots(), 4u);
  v1::SizeClassStats sum;
  for (const v1::SizeClassStats& size_class : stats.size_classes()) {
    sum.set_leased_bytes(sum.leased_bytes() + size_class.leased_bytes());
    sum.set_retained_bytes(sum.retained_bytes() + size_class.retained_bytes());
    sum.set_granted_fresh(sum.granted_fresh() + size_class.granted_fresh());
  }
  EXPECT_EQ(sum.leased_bytes(), stats.bytes().leased_bytes());
  EXPECT_EQ(sum.retained_bytes(), stats.bytes().retained_bytes());
  EXPECT_EQ(sum.granted_fresh(), stats.leases().granted_fresh());
}

TEST_F(StatsRpcTest, RpcsAreCountedByMethodAndOutcomeAndTimed) {
  for (int i = 0; i < 5; ++i) client_.MustLease(RawClient::LeaseOf(4096));
  v1::LeaseResponse none;
  EXPECT_FALSE(client_.Lease(RawClient::LeaseOf(0), &none).ok());
  const v1::RpcStats lease = RpcOf(client_.Stats(), "Lease");
  EXPECT_EQ(lease.latency().count(), 6u);
  EXPECT_GT(lease.latency().sum_ns(), 0u);
  EXPECT_GT(lease.latency().p50_ns(), 0u);
  EXPECT_LE(lease.latency().p50_ns(), lease.latency().p99_ns());
  ASSERT_EQ(lease.outcomes_size(), 2);
  EXPECT_EQ(lease.outcomes(0).code(), 0);
  EXPECT_EQ(lease.outcomes(0).count(), 5u);
  EXPECT_EQ(lease.outcomes(1).code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(lease.outcomes(1).count(), 1u);
}

TEST_F(StatsRpcTest, RequestsOfASessionCountAsTheirUnaryCalls) {
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  const auto session = client_.stub().Session(&context);
  v1::SessionRequest request;
  request.set_tag(1);
  *request.mutable_lease() = RawClient::LeaseOf(4096);
  v1::SessionResponse response;
  ASSERT_TRUE(session->Write(request));
  ASSERT_TRUE(session->Read(&response));
  request.set_tag(2);
  *request.mutable_lease() = RawClient::LeaseOf(0);
  ASSERT_TRUE(session->Write(request));
  ASSERT_TRUE(session->Read(&response));
  session->WritesDone();
  EXPECT_TRUE(session->Finish().ok());
  const v1::RpcStats lease = RpcOf(client_.Stats(), "Lease");
  EXPECT_EQ(lease.latency().count(), 2u);
  EXPECT_EQ(lease.outcomes_size(), 2);
}

TEST_F(StatsRpcTest, MakingMemoryIsTimedStepByStep) {
  client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  const v1::GetStatsResponse stats = client_.Stats();
  for (const v1::StepStats& step : stats.steps()) {
    if (step.step() != v1::StepStats::STEP_MAKE) continue;
    EXPECT_EQ(step.latency().count(), 1u);
  }
  for (const v1::SystemCallCount& call : stats.system_calls()) {
    if (call.name() != "openat") continue;
    EXPECT_GT(call.latency().count(), 0u);
    EXPECT_EQ(call.latency().count(), call.count());
  }
}

TEST_F(StatsRpcTest, WhatHappenedLatelyIsToldBesideWhatHappenedEver) {
  client_.MustLease(RawClient::LeaseOf(4096));
  const v1::GetStatsResponse stats = client_.Stats();
  EXPECT_EQ(stats.recent().leases().granted_fresh(), 1u);
  EXPECT_EQ(stats.recent().leases().live_leases(), 1u);
  EXPECT_LE(stats.recent().window().seconds(), 11);
  ASSERT_EQ(stats.recent().rpcs_size(), 1);
  EXPECT_EQ(stats.recent().rpcs(0).method(), "Lease");
}

TEST_F(StatsRpcTest, TheLastRefusalSaysWhyAndWhose) {
  EXPECT_FALSE(client_.Stats().has_last_refusal());
  v1::LeaseResponse none;
  EXPECT_FALSE(client_.Lease(RawClient::LeaseOf(65 << 20), &none).ok());
  const v1::Refusal refusal = client_.Stats().last_refusal();
  EXPECT_EQ(refusal.code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refusal.size_bytes(), 65u << 20);
  EXPECT_THAT(refusal.message(), HasSubstr("no room"));
  EXPECT_EQ(refusal.pid(), getpid());
  EXPECT_EQ(refusal.uid(), getuid());
  EXPECT_EQ(refusal.command(), "stats_rpc_test");
}

TEST_F(StatsRpcTest, AnOrdinaryAnswerDoesNotReplaceTheLastRefusal) {
  v1::LeaseResponse none;
  EXPECT_FALSE(client_.Lease(RawClient::LeaseOf(65 << 20), &none).ok());
  v1::AttachResponse missing;
  EXPECT_EQ(client_
                .Call(&RawClient::Stub::Attach, RawClient::AttachOf("nothing"),
                      &missing)
                .error_code(),
            grpc::StatusCode::NOT_FOUND);
  const v1::GetStatsResponse stats = client_.Stats();
  EXPECT_EQ(stats.last_refusal().code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(stats.refusals_size(), 1);
  EXPECT_EQ(stats.leases().refused_other(), 1u) << "it counts nevertheless";
}

TEST_F(StatsRpcTest, WhatNoProcessHasIsListedWithItsMaker) {
  const v1::GrantedLease lease = client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  v1::MakeTicketRequest make;
  make.mutable_lease()->set_lease_id(lease.lease_id());
  make.set_ticket(std::string(16, 't'));
  v1::MakeTicketResponse made;
  ASSERT_TRUE(client_.Call(&RawClient::Stub::MakeTicket, make, &made).ok());
  const v1::ListHoldersResponse all = ListHolders();
  EXPECT_THAT(all.holders(), IsEmpty());
  ASSERT_EQ(all.unheld_size(), 1);
  EXPECT_EQ(all.unheld(0).name(), lease.buffer_name());
  EXPECT_EQ(all.unheld(0).state(), v1::LEASE_STATE_TICKET);
  EXPECT_EQ(all.unheld(0).mapped_bytes(), kTwoMiB);
  EXPECT_EQ(all.unheld(0).maker_pid(), getpid());
  EXPECT_EQ(all.unheld(0).maker_command(), "stats_rpc_test");
  EXPECT_GT(all.unheld(0).ttl_left().seconds(), 0);
  const v1::LeaseCounts leases = client_.Stats().leases();
  EXPECT_EQ(leases.live_tickets(), 1u);
  EXPECT_EQ(leases.ticket_bytes(), kTwoMiB);
}

TEST_F(StatsRpcTest, AWaitOfMoreThanADayIsRefused) {
  v1::AttachRequest attach = RawClient::AttachOf("later");
  attach.mutable_wait()->set_seconds(48 * 3600);
  v1::AttachResponse none;
  const grpc::Status status =
      client_.Call(&RawClient::Stub::Attach, attach, &none);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("0 and 24h"));
}

TEST_F(StatsRpcTest, HoldersAreListedTheLargestFirst) {
  EXPECT_THAT(ListHolders().holders(), IsEmpty());
  client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  client_.MustLease(RawClient::LeaseOf(64 << 10));
  ChildProcess other(
      {"client/warmpool", "lease", "8MiB", "--target=" + daemon_.target()});
  other.ReadLine();
  const v1::ListHoldersResponse all = ListHolders();
  ASSERT_EQ(all.holders_size(), 2);
  EXPECT_EQ(all.holders(0).pid(), other.pid());
  EXPECT_EQ(all.holders(0).command(), "warmpool");
  EXPECT_EQ(all.holders(0).leased_bytes(), 8u << 20);
  EXPECT_EQ(all.holders(1).pid(), getpid());
  EXPECT_EQ(all.holders(1).uid(), getuid());
  EXPECT_EQ(all.holders(1).leases(), 2u);
  EXPECT_EQ(all.holders(1).leased_bytes(), kTwoMiB + (64 << 10));
  const v1::ListHoldersResponse first = ListHolders(1);
  EXPECT_EQ(first.holders_size(), 1);
  EXPECT_EQ(first.total_holders(), 2u);
}

TEST_F(StatsRpcTest, WhatLiesIdleIsToldByHolderAndSizeClass) {
  client_.MustLease(RawClient::LeaseOf(kTwoMiB));
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  const auto session = client_.stub().Session(&context);
  v1::SessionRequest request;
  request.mutable_idle()->set_idle_bytes(kTwoMiB);
  request.mutable_idle()->set_idle_leases(1);
  v1::IdleReport::SizeClass& idle = *request.mutable_idle()->add_size_classes();
  idle.set_segment_bytes(kTwoMiB);
  idle.set_idle_leases(1);
  ASSERT_TRUE(session->Write(request));
  EXPECT_TRUE(Eventually([this] {
    return ClassOf(client_.Stats(), kTwoMiB).idle_in_clients_bytes() == kTwoMiB;
  }));
  EXPECT_EQ(ListHolders().holders(0).idle_bytes(), kTwoMiB);
  session->WritesDone();
  EXPECT_TRUE(session->Finish().ok());
  EXPECT_TRUE(Eventually([this] {
    return ClassOf(client_.Stats(), kTwoMiB).idle_in_clients_bytes() == 0;
  }));
  EXPECT_EQ(ListHolders().holders(0).idle_bytes(), 0u);
}

}  // namespace
}  // namespace warmpool::testing
