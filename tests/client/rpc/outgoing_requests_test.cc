#include "client/rpc/outgoing_requests.h"

#include <vector>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

class OutgoingRequestsTest : public ::testing::Test {
 protected:
  void Add(uint64_t tag) {
    v1::SessionRequest request;
    request.set_tag(tag);
    outgoing_.Add(std::move(request));
  }

  void Release(size_t count) {
    outgoing_.Release(std::vector<v1::LeaseRef>(count));
  }

  static v1::IdleReport Idle(uint64_t bytes) {
    v1::IdleReport idle;
    idle.set_idle_bytes(bytes);
    return idle;
  }

  // A message with nothing in it where there is none.
  v1::SessionRequest Next() {
    v1::SessionRequest request;
    EXPECT_TRUE(outgoing_.TakeNext(&request));
    return request;
  }
  bool HasNone() {
    v1::SessionRequest request;
    return !outgoing_.TakeNext(&request);
  }

  OutgoingRequests outgoing_;
};

TEST_F(OutgoingRequestsTest, RequestsKeepTheirOrder) {
  EXPECT_TRUE(HasNone());
  Add(1);
  Add(2);
  EXPECT_EQ(Next().tag(), 1u);
  EXPECT_EQ(Next().tag(), 2u);
  EXPECT_TRUE(HasNone());
}

TEST_F(OutgoingRequestsTest, ReleasesAndReportsRideAlongOrAreFlushed) {
  Release(3);
  outgoing_.Report(Idle(7));
  EXPECT_EQ(outgoing_.gathered(), 3u);
  EXPECT_TRUE(HasNone());
  Add(1);
  const v1::SessionRequest together = Next();
  EXPECT_EQ(together.tag(), 1u);
  EXPECT_EQ(together.released_size(), 3);
  EXPECT_EQ(together.idle().idle_bytes(), 7u);

  Release(1);
  outgoing_.Flush();
  const v1::SessionRequest alone = Next();
  EXPECT_EQ(alone.tag(), 0u);
  EXPECT_EQ(alone.released_size(), 1);
  EXPECT_FALSE(alone.has_idle());
  EXPECT_TRUE(HasNone());
}

TEST_F(OutgoingRequestsTest, AFlushOfNothingDoesNotLast) {
  outgoing_.Flush();
  EXPECT_TRUE(HasNone());
  Release(1);
  EXPECT_TRUE(HasNone());
}

TEST_F(OutgoingRequestsTest, MoreReleasesThanAMessageHoldsGoBeforeTheRequest) {
  Release(OutgoingRequests::kMaxReleasesInMessage + 1);
  Add(1);
  const v1::SessionRequest first = Next();
  EXPECT_EQ(first.tag(), 0u);
  EXPECT_EQ(first.released_size(), 1000);
  const v1::SessionRequest second = Next();
  EXPECT_EQ(second.tag(), 1u);
  EXPECT_EQ(second.released_size(), 1);
}

TEST_F(OutgoingRequestsTest, AReportIsRepeatedUnlessItWasEmpty) {
  outgoing_.Report(Idle(7));
  outgoing_.Flush();
  EXPECT_EQ(Next().idle().idle_bytes(), 7u);
  outgoing_.ReportAgain();
  outgoing_.Flush();
  EXPECT_EQ(Next().idle().idle_bytes(), 7u);
  outgoing_.Report(Idle(0));
  outgoing_.Flush();
  EXPECT_TRUE(Next().has_idle());
  outgoing_.ReportAgain();
  outgoing_.Flush();
  EXPECT_TRUE(HasNone());
}

TEST_F(OutgoingRequestsTest, WhatIsWithdrawnIsNotWritten) {
  Add(1);
  Add(2);
  Release(1);
  outgoing_.RemoveIf([](uint64_t tag) { return tag == 1; });
  outgoing_.ForgetReleases();
  const v1::SessionRequest left = Next();
  EXPECT_EQ(left.tag(), 2u);
  EXPECT_EQ(left.released_size(), 0);
  EXPECT_TRUE(HasNone());
}

}  // namespace
}  // namespace warmpool
