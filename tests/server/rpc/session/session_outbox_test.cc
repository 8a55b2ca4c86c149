// What a Session sends and when, without gRPC.
#include "server/rpc/session/session_outbox.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;

constexpr uid_t kUid = 1000;

v1::SessionResponse AnswerTo(uint64_t tag, size_t padding = 0) {
  v1::SessionResponse response;
  response.mutable_reply()->set_tag(tag);
  response.mutable_reply()->mutable_status()->set_message(
      std::string(padding, 'x'));
  return response;
}

v1::SessionResponse Revoked(const std::string& lease) {
  v1::SessionResponse response;
  response.mutable_revoked()->set_lease_id(lease);
  return response;
}

class SessionOutboxTest : public ::testing::Test, public SessionOutbox::Wire {
 protected:
  SessionOutboxTest() { outbox_->SetUid(kUid); }

  void Write(const v1::SessionResponse& response) override {
    EXPECT_FALSE(writing_) << "one at a time";
    EXPECT_EQ(finished_, 0) << "none after the end";
    writing_ = true;
    sent_.push_back(response.has_revoked()
                        ? "end of " + response.revoked().lease_id()
                        : std::to_string(response.reply().tag()));
  }
  void Finish(const grpc::Status& status) override {
    ++finished_;
    status_ = status;
  }
  void Cancel() override { ++cancelled_; }

  // The client reads.
  void Read(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(writing_);
      writing_ = false;
      outbox_->OnWritten(true);
    }
  }

  uint64_t unread() const {
    return accounts_.UsageOf(kUid, UidAccounts::Resource::kHeldBytes);
  }

  UidAccounts accounts_{{.limits = {10, 10, 64 << 10}}};
  bool writing_ = false;
  int finished_ = 0;
  int cancelled_ = 0;
  grpc::Status status_;
  std::vector<std::string> sent_;
  std::unique_ptr<SessionOutbox> outbox_ =
      std::make_unique<SessionOutbox>(this, &accounts_);
};

TEST_F(SessionOutboxTest, AnswersGoOutOneAfterTheOther) {
  const uint64_t one = outbox_->BeginRequest();
  const uint64_t two = outbox_->BeginRequest();
  outbox_->EndRequest(two, AnswerTo(2));
  outbox_->EndRequest(one, AnswerTo(1));
  EXPECT_THAT(sent_, ElementsAre("2"));
  Read(2);
  EXPECT_THAT(sent_, ElementsAre("2", "1"));
  EXPECT_EQ(unread(), 0u);
}

TEST_F(SessionOutboxTest, NoEndIsToldBeforeTheGrant) {
  const uint64_t one = outbox_->BeginRequest();
  outbox_->SendNotice(Revoked("a"));
  const uint64_t two = outbox_->BeginRequest();
  EXPECT_TRUE(sent_.empty());
  outbox_->EndRequest(one, AnswerTo(1));
  Read(1);
  EXPECT_THAT(sent_, ElementsAre("1", "end of a"));
  outbox_->EndRequest(two, std::nullopt);
  Read(1);
  outbox_->SendNotice(Revoked("b"));
  EXPECT_EQ(sent_.back(), "end of b");
}

TEST_F(SessionOutboxTest, TheCallEndsOnceAllIsSaid) {
  const uint64_t one = outbox_->BeginRequest();
  outbox_->BeginWait();
  outbox_->EndReads();
  outbox_->EndRequest(one, AnswerTo(1));
  Read(1);
  EXPECT_EQ(finished_, 0);
  outbox_->EndWait();
  EXPECT_EQ(finished_, 1);
  EXPECT_TRUE(status_.ok());
  outbox_->SendNotice(Revoked("a"));
  outbox_->Finish(grpc::Status::CANCELLED);
  EXPECT_EQ(finished_, 1);
  EXPECT_THAT(sent_, ElementsAre("1"));
}

TEST_F(SessionOutboxTest, WhoDoesNotReadIsNotReadFrom) {
  EXPECT_TRUE(outbox_->MayRead());
  for (size_t i = 0; i < SessionOutbox::kMaxUnread; ++i) {
    outbox_->SendAnswer(AnswerTo(i));
  }
  EXPECT_FALSE(outbox_->MayRead());
  Read(1);
  EXPECT_TRUE(outbox_->MayRead());
}

TEST_F(SessionOutboxTest, WhatIsUnreadCountsForTheUidAndIsBounded) {
  outbox_->SendAnswer(AnswerTo(1, 40 << 10));
  EXPECT_GE(unread(), 40u << 10);
  outbox_->SendAnswer(AnswerTo(2, 40 << 10));
  EXPECT_EQ(cancelled_, 1);
  // Another Session of the same uid, that reads what it gets.
  {
    SessionOutbox other(this, &accounts_);
    other.SetUid(kUid);
    writing_ = false;
    other.SendAnswer(AnswerTo(3));
    EXPECT_EQ(cancelled_, 1);
    EXPECT_EQ(sent_.back(), "3");
  }
  outbox_.reset();
  EXPECT_EQ(unread(), 0u);
}

TEST_F(SessionOutboxTest, ALostConnectionEndsWhatIsLeft) {
  outbox_->SendAnswer(AnswerTo(1));
  outbox_->SendAnswer(AnswerTo(2));
  outbox_->OnWritten(false);
  EXPECT_EQ(unread(), 0u);
  outbox_->Finish(grpc::Status::CANCELLED);
  EXPECT_EQ(finished_, 1);
  EXPECT_THAT(sent_, ElementsAre("1"));
}

}  // namespace
}  // namespace warmpool
