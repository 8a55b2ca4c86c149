#include "client/leases/known_leases.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::UnorderedElementsAre;

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

v1::GrantedLease LeaseOf(const std::string& id) {
  v1::GrantedLease lease;
  lease.set_lease_id(id);
  return lease;
}

class KnownLeasesTest : public ::testing::Test {
 protected:
  void Grant(const std::string& id) {
    known_.Begin("request of " + id);
    fates_[id] = known_.Granted("request of " + id, LeaseOf(id));
  }

  bool IsForgotten(const std::string& id) {
    return known_.IsForgotten(id, "request of " + id);
  }

  std::vector<std::string> LiveIds() {
    std::vector<std::string> ids;
    for (const KnownLeases::Known& known : known_.Live()) {
      EXPECT_EQ(known.request_id, "request of " + known.granted.lease_id());
      ids.push_back(known.granted.lease_id());
    }
    return ids;
  }

  std::map<std::string, std::shared_ptr<const LeaseFate>> fates_;
  KnownLeases known_;
};

TEST_F(KnownLeasesTest, ALeaseIsKnownFromItsGrantToItsRelease) {
  EXPECT_TRUE(IsForgotten("a"));
  Grant("a");
  Grant("b");
  EXPECT_FALSE(IsForgotten("a"));
  EXPECT_TRUE(known_.IsLive("a"));
  EXPECT_THAT(LiveIds(), UnorderedElementsAre("a", "b"));
  EXPECT_TRUE(known_.Drop("a"));
  EXPECT_FALSE(known_.Drop("a"));
  EXPECT_TRUE(IsForgotten("a"));
  EXPECT_FALSE(known_.IsLive("a"));
  EXPECT_THAT(LiveIds(), UnorderedElementsAre("b"));
}

TEST_F(KnownLeasesTest, TheAnswerToARequestInFlightIsNotForgotten) {
  known_.Begin("request of a");
  EXPECT_EQ(known_.in_flight(), 1u);
  EXPECT_FALSE(IsForgotten("a"));
  known_.Granted("request of a", LeaseOf("a"));
  EXPECT_EQ(known_.in_flight(), 0u);
  EXPECT_FALSE(IsForgotten("a"));
}

TEST_F(KnownLeasesTest, ARequestThatWasRefusedLeavesNothing) {
  known_.Begin("request of a");
  known_.Refused("request of a");
  EXPECT_EQ(known_.in_flight(), 0u);
  EXPECT_TRUE(known_.SettleDoubts({}, kNow));
}

TEST_F(KnownLeasesTest, ARequestThatWasGivenUpIsInDoubtUntilItIsListed) {
  known_.Begin("request of a");
  known_.GivenUp("request of a", kNow);
  EXPECT_EQ(known_.in_flight(), 0u);
  EXPECT_TRUE(IsForgotten("a"));
  EXPECT_FALSE(known_.SettleDoubts({"request of b"}, kNow));
  EXPECT_EQ(known_.in_doubt(), 1u);
  EXPECT_TRUE(known_.SettleDoubts({"request of a", "request of b"}, kNow));
  EXPECT_EQ(known_.in_doubt(), 0u);
}

TEST_F(KnownLeasesTest, ADoubtEndsWhenTheRequestIsMissingForLong) {
  known_.Begin("request of a");
  known_.GivenUp("request of a", kNow);
  const absl::Time settled = kNow + KnownLeases::kDoubtFor;
  EXPECT_FALSE(known_.SettleDoubts({}, settled - absl::Milliseconds(1)));
  EXPECT_TRUE(known_.SettleDoubts({}, settled));
}

TEST_F(KnownLeasesTest, ALostLeaseHasAVerdictAndIsLiveNoMore) {
  Grant("a");
  Grant("b");
  EXPECT_THAT(known_.VerdictOn("a"), IsOk());
  known_.Lose("a", absl::NotFoundError("gone"));
  EXPECT_THAT(known_.VerdictOn("a"),
              StatusIs(absl::StatusCode::kNotFound, "gone"));
  EXPECT_FALSE(known_.IsLive("a"));
  EXPECT_FALSE(known_.FindLive("a").has_value());
  EXPECT_TRUE(fates_["a"]->ended);
  EXPECT_FALSE(fates_["b"]->ended);
  EXPECT_THAT(LiveIds(), UnorderedElementsAre("b"));
  // Its owner has it still, and will release it.
  EXPECT_FALSE(IsForgotten("a"));
  EXPECT_EQ(known_.size(), 2u);
  EXPECT_TRUE(known_.Drop("a"));
  EXPECT_THAT(known_.VerdictOn("a"), IsOk());
}

TEST_F(KnownLeasesTest, AVerdictOnALeaseThatNobodyAskedForIsIgnored) {
  known_.Lose("a", absl::NotFoundError("gone"));
  EXPECT_EQ(known_.size(), 0u);
  EXPECT_THAT(known_.VerdictOn("a"), IsOk());
  Grant("a");
  EXPECT_TRUE(known_.IsLive("a"));
}

TEST_F(KnownLeasesTest, AVerdictThatComesBeforeItsGrantIsKept) {
  known_.Begin("request of b");
  known_.Begin("request of a");
  known_.Lose("a", absl::FailedPreconditionError("expired"));
  Grant("b");
  EXPECT_FALSE(fates_["b"]->ended);
  Grant("a");
  EXPECT_TRUE(fates_["a"]->ended);
  EXPECT_FALSE(known_.IsLive("a"));
  EXPECT_THAT(known_.VerdictOn("a"),
              StatusIs(absl::StatusCode::kFailedPrecondition, "expired"));
}

TEST_F(KnownLeasesTest, EarlyVerdictsAreKeptForRequestsInFlightAlone) {
  known_.Begin("refused");
  known_.Begin("given up");
  known_.Lose("a", absl::FailedPreconditionError("expired"));
  known_.Refused("refused");
  known_.GivenUp("given up", kNow);
  Grant("a");
  EXPECT_TRUE(known_.IsLive("a"));
}

TEST_F(KnownLeasesTest, OfEarlyVerdictsTheLastAreKept) {
  known_.Begin("request of kept");
  known_.Begin("request of dropped");
  known_.Lose("dropped", absl::FailedPreconditionError("expired"));
  known_.Lose("kept", absl::FailedPreconditionError("expired"));
  for (size_t i = 1; i < KnownLeases::kEarlyVerdicts; ++i) {
    known_.Lose(std::to_string(i), absl::FailedPreconditionError("expired"));
  }
  Grant("kept");
  Grant("dropped");
  EXPECT_FALSE(known_.IsLive("kept"));
  EXPECT_TRUE(known_.IsLive("dropped"));
}

TEST_F(KnownLeasesTest, FindsALeaseAsItWasGranted) {
  v1::GrantedLease lease = LeaseOf("a");
  lease.set_generation(9);
  known_.Begin("r");
  known_.Granted("r", lease);
  ASSERT_TRUE(known_.FindLive("a").has_value());
  EXPECT_EQ(known_.FindLive("a")->granted.generation(), 9u);
  EXPECT_EQ(known_.FindLive("a")->request_id, "r");
}

}  // namespace
}  // namespace warmpool
