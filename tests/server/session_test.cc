// The Session stream against a real daemon.
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using Stream =
    grpc::ClientReaderWriter<v1::SessionRequest, v1::SessionResponse>;

class SessionTest : public ::testing::Test {
 protected:
  explicit SessionTest(std::vector<std::string> flags = {})
      : daemon_(WithDefaultTtl(std::move(flags))) {
    RawClient::SetDeadline(&context_);
    stream_ = client_.stub().Session(&context_);
  }

  static std::vector<std::string> WithDefaultTtl(
      std::vector<std::string> flags) {
    flags.push_back("--default_ttl=0");
    return flags;
  }

  static v1::SessionRequest LeaseRequestOf(uint64_t tag, uint64_t bytes) {
    v1::SessionRequest request;
    request.set_tag(tag);
    *request.mutable_lease() = RawClient::LeaseOf(bytes);
    return request;
  }

  v1::SessionReply ReadReply() {
    v1::SessionResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    EXPECT_TRUE(response.has_reply()) << response.DebugString();
    return response.reply();
  }

  DaemonProcess daemon_;
  RawClient client_{daemon_.target()};
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(SessionTest, ManyRequestsAreUnderWayAtOnceAndEachGetsItsReply) {
  constexpr int kRequests = 500;
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_TRUE(stream_->Write(LeaseRequestOf(i + 1000, 4096)));
  }
  std::map<uint64_t, std::string> leases;
  for (int i = 0; i < kRequests; ++i) {
    const v1::SessionReply reply = ReadReply();
    ASSERT_EQ(reply.status().code(), 0) << reply.status().message();
    leases[reply.tag()] = reply.lease().lease().lease_id();
  }
  EXPECT_EQ(leases.size(), static_cast<size_t>(kRequests));
  EXPECT_EQ(leases.begin()->first, 1000u);

  v1::SessionRequest release;
  release.set_tag(7);
  for (const auto& [tag, id] : leases) {
    release.mutable_release()->add_leases()->set_lease_id(id);
  }
  ASSERT_TRUE(stream_->Write(release));
  const v1::SessionReply reply = ReadReply();
  EXPECT_EQ(reply.tag(), 7u);
  ASSERT_EQ(reply.release().results_size(), kRequests);
  for (const v1::Result& result : reply.release().results()) {
    EXPECT_EQ(result.code(), 0);
  }
  EXPECT_EQ(client_.Stats().leases().live_leases(), 0u);

  ASSERT_TRUE(stream_->WritesDone());
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(SessionTest,
       HoweverManyAreReleasedTheyEndBeforeTheRequestThatCameAlong) {
  constexpr int kLeases = 100;
  v1::SessionRequest next = LeaseRequestOf(kLeases, 4096);
  next.mutable_lease()->set_name("taken");
  for (int i = 0; i < kLeases; ++i) {
    v1::SessionRequest request = LeaseRequestOf(i, 4096);
    if (i == kLeases - 1) request.mutable_lease()->set_name("taken");
    ASSERT_TRUE(stream_->Write(request));
    next.add_released()->set_lease_id(ReadReply().lease().lease().lease_id());
  }
  ASSERT_TRUE(stream_->Write(next));
  v1::SessionRequest refused = LeaseRequestOf(kLeases + 1, 4096);
  refused.mutable_lease()->set_name("taken");
  ASSERT_TRUE(stream_->Write(refused));
  std::map<uint64_t, int> codes;
  for (int i = 0; i < 2; ++i) {
    const v1::SessionReply reply = ReadReply();
    codes[reply.tag()] = reply.status().code();
  }
  EXPECT_EQ(codes[kLeases], grpc::StatusCode::OK);
  EXPECT_EQ(codes[kLeases + 1], grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(client_.Stats().leases().live_leases(), 1u);
}

TEST_F(SessionTest, AStreamThatEndsWhileManyAreReleasedTakesNothingAlong) {
  constexpr int kLeases = 100;
  v1::SessionRequest release;
  for (int i = 0; i < kLeases; ++i) {
    ASSERT_TRUE(stream_->Write(LeaseRequestOf(i, 4096)));
    release.add_released()->set_lease_id(
        ReadReply().lease().lease().lease_id());
  }
  ASSERT_TRUE(stream_->Write(release));
  ASSERT_TRUE(stream_->WritesDone());
  EXPECT_TRUE(stream_->Finish().ok());
  EXPECT_EQ(client_.Stats().leases().live_leases(), 0u);
}

TEST_F(SessionTest, ARefusalIsTheReplyAndTheStreamGoesOn) {
  ASSERT_TRUE(stream_->Write(LeaseRequestOf(1, 0)));
  const v1::SessionReply refused = ReadReply();
  EXPECT_EQ(refused.tag(), 1u);
  EXPECT_EQ(refused.status().code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_FALSE(refused.has_lease());
  v1::SessionRequest nothing;
  nothing.set_tag(2);
  ASSERT_TRUE(stream_->Write(nothing));
  EXPECT_EQ(ReadReply().status().code(), grpc::StatusCode::INVALID_ARGUMENT);
  ASSERT_TRUE(stream_->Write(LeaseRequestOf(3, 4096)));
  EXPECT_EQ(ReadReply().status().code(), 0);
}

TEST_F(SessionTest, AttachAndRenewWorkAsTheUnaryCallsDo) {
  v1::SessionRequest lease = LeaseRequestOf(1, 4096);
  lease.mutable_lease()->set_name("shared");
  ASSERT_TRUE(stream_->Write(lease));
  const std::string path = ReadReply().lease().lease().path();
  v1::SessionRequest attach;
  attach.set_tag(2);
  *attach.mutable_attach() = RawClient::AttachOf("shared");
  ASSERT_TRUE(stream_->Write(attach));
  const v1::SessionReply attached = ReadReply();
  EXPECT_EQ(attached.attach().lease().path(), path);
  v1::SessionRequest renew;
  renew.set_tag(3);
  v1::RenewRequest::Renewal* const renewal =
      renew.mutable_renew()->add_renewals();
  renewal->mutable_lease()->set_lease_id(attached.attach().lease().lease_id());
  renewal->mutable_ttl()->set_seconds(9);
  ASSERT_TRUE(stream_->Write(renew));
  EXPECT_EQ(ReadReply().renew().renewed(0).ttl().seconds(), 9);
}

TEST_F(SessionTest, AnExpiryIsToldToItsHolderAfterTheGrant) {
  // So short that it is over before the grant is on its way, time and again.
  for (int i = 0; i < 100; ++i) {
    v1::SessionRequest request = LeaseRequestOf(1, 4096);
    request.mutable_lease()->set_name("brief");
    request.mutable_lease()->mutable_ttl()->set_nanos(1);
    ASSERT_TRUE(stream_->Write(request));
    const std::string id = ReadReply().lease().lease().lease_id();
    v1::SessionResponse notice;
    ASSERT_TRUE(stream_->Read(&notice));
    EXPECT_EQ(notice.revoked().lease_id(), id);
    EXPECT_EQ(notice.revoked().buffer_name(), "brief");
    EXPECT_EQ(notice.revoked().cause(), v1::RevokedNotice::CAUSE_EXPIRED);
  }
}

class DrainingSessionTest : public SessionTest {
 protected:
  DrainingSessionTest() : SessionTest({"--drain_timeout=5m"}) {}
};

TEST_F(DrainingSessionTest, TheDaemonSaysSoAndGrantsNothingMore) {
  ASSERT_TRUE(stream_->Write(LeaseRequestOf(1, 4096)));
  const v1::GrantedLease lease = ReadReply().lease().lease();
  v1::ShutdownResponse stopping;
  ASSERT_TRUE(
      client_.Call(&RawClient::Stub::Shutdown, v1::ShutdownRequest(), &stopping)
          .ok());
  EXPECT_EQ(stopping.live_leases(), 1u);
  v1::SessionResponse notice;
  ASSERT_TRUE(stream_->Read(&notice));
  EXPECT_TRUE(notice.has_draining());
  ASSERT_TRUE(stream_->Write(LeaseRequestOf(2, 4096)));
  EXPECT_EQ(ReadReply().status().code(), grpc::StatusCode::UNAVAILABLE);
  v1::SessionRequest release;
  release.mutable_release()->add_leases()->set_lease_id(lease.lease_id());
  ASSERT_TRUE(stream_->Write(release));
  EXPECT_EQ(ReadReply().release().results(0).code(), 0);
  // The last lease is gone, so the daemon goes, and with it the stream.
  v1::SessionResponse nothing;
  EXPECT_FALSE(stream_->Read(&nothing));
  EXPECT_FALSE(stream_->Finish().ok());
}

}  // namespace
}  // namespace warmpool::testing
