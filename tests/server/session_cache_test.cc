// What the library's lease cache needs of a Session: releases without answers,
// leases asked for together and ahead of need, idle memory told and asked for.
#include <memory>
#include <string>
#include <thread>

#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr uint64_t kMiB = 1 << 20;

using Stream =
    grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>;

class SessionCacheTest : public ::testing::Test {
 protected:
  SessionCacheTest() {
    RawClient::SetDeadline(&context_);
    stream_ = client_.stub().Session(&context_);
  }

  v1::SessionResponse Read() {
    v1::SessionResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }

  v1::GrantedLease LeaseInSession(uint64_t bytes) {
    v1::SessionRequest request;
    request.set_tag(1);
    *request.mutable_lease() = RawClient::LeaseOf(bytes);
    EXPECT_TRUE(stream_->Write(request));
    const v1::SessionResponse response = Read();
    EXPECT_EQ(response.reply().status().code(), 0) << response.DebugString();
    return response.reply().lease().lease();
  }

  // Without a request and an answer.
  void ReleaseInSession(const v1::GrantedLease& lease) {
    v1::SessionRequest request;
    request.add_released()->set_lease_id(lease.lease_id());
    ASSERT_TRUE(stream_->Write(request));
  }

  void ReportIdle(uint64_t bytes) {
    v1::SessionRequest request;
    request.mutable_idle()->set_idle_bytes(bytes);
    ASSERT_TRUE(stream_->Write(request));
  }

  uint64_t LiveLeases() { return client_.Stats().leases().live_leases(); }
  uint64_t IdleBytes() {
    return client_.Stats().bytes().idle_in_clients_bytes();
  }

  DaemonProcess daemon_{{"--default_ttl=0", "--capacity_bytes=12MiB"}};
  RawClient client_{daemon_.target()};
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(SessionCacheTest, ReleasesWithoutAnAnswerEndTheirLeases) {
  const v1::GrantedLease alone = LeaseInSession(kMiB);
  const v1::GrantedLease along = LeaseInSession(kMiB);
  ReleaseInSession(alone);
  EXPECT_TRUE(Eventually([&] { return LiveLeases() == 1; }));
  v1::SessionRequest request;
  request.set_tag(9);
  *request.mutable_lease() = RawClient::LeaseOf(kMiB);
  request.add_released()->set_lease_id(along.lease_id());
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Read().reply().tag(), 9u);
  EXPECT_TRUE(Eventually([&] { return LiveLeases() == 1; }));
}

TEST_F(SessionCacheTest, AReleasedNameCanBeLeasedByTheSameMessage) {
  v1::SessionRequest request;
  request.set_tag(1);
  *request.mutable_lease() = RawClient::LeaseOf(kMiB);
  request.mutable_lease()->set_name("frame");
  ASSERT_TRUE(stream_->Write(request));
  const std::string lease_id = Read().reply().lease().lease().lease_id();
  *request.mutable_lease() = RawClient::LeaseOf(kMiB);
  request.mutable_lease()->set_name("frame");
  request.add_released()->set_lease_id(lease_id);
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Read().reply().status().code(), 0);
}

TEST_F(SessionCacheTest, AReportOfIdleMemoryRidesAlongOrComesAlone) {
  v1::SessionRequest request;
  request.set_tag(5);
  *request.mutable_lease() = RawClient::LeaseOf(kMiB);
  request.mutable_idle()->set_idle_bytes(kMiB);
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Read().reply().tag(), 5u);
  EXPECT_TRUE(Eventually([&] { return IdleBytes() == kMiB; }));
  ReportIdle(kMiB / 2);
  EXPECT_TRUE(Eventually([&] { return IdleBytes() == kMiB / 2; }));
  // The next answer is the next request's, whose message has no report.
  EXPECT_GT(LeaseInSession(kMiB).size_bytes(), 0u);
  EXPECT_EQ(IdleBytes(), kMiB / 2);
}

TEST_F(SessionCacheTest, LeasesAheadOfNeedAreOfWhatIsReady) {
  ReleaseInSession(LeaseInSession(kMiB));
  EXPECT_TRUE(Eventually([&] { return LiveLeases() == 0; }));
  v1::SessionRequest request;
  request.set_tag(3);
  for (int i = 0; i < 3; ++i) {
    v1::LeaseRequest& one = *request.mutable_lease_many()->add_leases();
    one = RawClient::LeaseOf(kMiB);
    one.set_if_ready(true);
  }
  ASSERT_TRUE(stream_->Write(request));
  const v1::SessionReply reply = Read().reply();
  ASSERT_EQ(reply.lease_many().outcomes_size(), 3);
  EXPECT_EQ(reply.lease_many().outcomes(0).lease().warmth(), v1::WARMTH_WARM);
  for (int i = 1; i < 3; ++i) {
    EXPECT_EQ(reply.lease_many().outcomes(i).result().code(),
              grpc::StatusCode::NOT_FOUND);
  }
  // That is no refusal, nor a miss.
  const v1::GetStatsResponse stats = client_.Stats();
  EXPECT_EQ(stats.leases().refused_other(), 0u);
  EXPECT_EQ(stats.bigcache().misses_empty(), 1u);
}

TEST_F(SessionCacheTest, LeasesAskedForTogetherAreMadeWhereNoneIsReady) {
  v1::SessionRequest request;
  request.set_tag(3);
  for (int i = 0; i < 65; ++i) {
    *request.mutable_lease_many()->add_leases() = RawClient::LeaseOf(4096);
  }
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Read().reply().status().code(), grpc::StatusCode::INVALID_ARGUMENT);
  request.mutable_lease_many()->mutable_leases()->RemoveLast();
  ASSERT_TRUE(stream_->Write(request));
  EXPECT_EQ(Read().reply().lease_many().outcomes_size(), 64);
  EXPECT_EQ(LiveLeases(), 64u);
}

TEST_F(SessionCacheTest, WhatClientsKeepIdleIsToldUntilTheirSessionEnds) {
  LeaseInSession(4 * kMiB);
  ReportIdle(3 * kMiB);
  EXPECT_TRUE(Eventually([&] { return IdleBytes() == 3 * kMiB; }));
  ReportIdle(kMiB);
  EXPECT_TRUE(Eventually([&] { return IdleBytes() == kMiB; }));
  // Never more than is leased.
  ReportIdle(uint64_t{1} << 60);
  EXPECT_TRUE(Eventually([&] { return IdleBytes() == 4 * kMiB; }));
  stream_->WritesDone();
  stream_->Finish();
  EXPECT_TRUE(Eventually([&] { return IdleBytes() == 0; }));
}

TEST_F(SessionCacheTest, ALeaseThatFindsNoRoomGetsWhatClientsKeptIdle) {
  const v1::GrantedLease idle = LeaseInSession(6 * kMiB);
  ReportIdle(6 * kMiB);
  EXPECT_TRUE(Eventually([&] { return IdleBytes() == 6 * kMiB; }));
  std::thread client([&] {
    const v1::SessionResponse notice = Read();
    EXPECT_EQ(notice.trim().wanted_bytes(), 6 * kMiB);
    ReleaseInSession(idle);
  });
  RawClient other(daemon_.target());
  v1::LeaseResponse response;
  EXPECT_TRUE(other.Lease(RawClient::LeaseOf(6 * kMiB), &response).ok());
  client.join();
  EXPECT_EQ(client_.Stats().leases().refused_exhausted(), 0u);
}

TEST_F(SessionCacheTest, WithoutIdleMemoryAFullPoolRefusesOnce) {
  LeaseInSession(6 * kMiB);
  v1::LeaseResponse response;
  EXPECT_EQ(client_.Lease(RawClient::LeaseOf(6 * kMiB), &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(client_.Stats().leases().refused_exhausted(), 1u);
}

}  // namespace
}  // namespace warmpool::testing
