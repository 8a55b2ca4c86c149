#include "client/leases/lease_renewer.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A keeper without a thread, and a daemon that grants what it is asked for
// unless told otherwise.
class LeaseRenewerTest : public ::testing::Test {
 protected:
  void Keep(const std::string& id, absl::Duration ttl) {
    keeper_.Keep({id, /*generation=*/7, ttl}, clock_.Now());
  }

  // Time until the keeper wants to be called again.
  absl::Duration RenewDue() {
    const absl::Time next = keeper_.RenewDue();
    return next - clock_.Now();
  }

  // The leases of each call since the last time asked.
  std::vector<std::vector<std::string>> TakeCalls() {
    return std::exchange(calls_, {});
  }

  absl::StatusOr<std::vector<LeaseRenewer::Outcome>> Renew(
      const std::vector<LeaseRenewer::Renewal>& renewals) {
    std::vector<LeaseRenewer::Outcome> outcomes;
    calls_.emplace_back();
    for (const LeaseRenewer::Renewal& renewal : renewals) {
      EXPECT_EQ(renewal.generation, 7u);
      calls_.back().push_back(renewal.lease_id);
      const auto special = outcomes_.find(renewal.lease_id);
      outcomes.push_back(special == outcomes_.end() ? renewal.ttl
                                                    : special->second);
    }
    clock_.Advance(call_takes_);
    if (during_call_) during_call_();
    if (!call_status_.ok()) return call_status_;
    return outcomes;
  }

  FakeClock clock_;
  std::vector<std::vector<std::string>> calls_;
  // What the daemon says to single leases, and to calls as a whole.
  absl::flat_hash_map<std::string, LeaseRenewer::Outcome> outcomes_;
  absl::Status call_status_;
  absl::Duration call_takes_;
  std::function<void()> during_call_;
  LeaseRenewer keeper_{
      &clock_, [this](const auto& renewals) { return Renew(renewals); }};
};

TEST_F(LeaseRenewerTest, NothingKeptIsNeverDue) {
  EXPECT_EQ(keeper_.RenewDue(), absl::InfiniteFuture());
  EXPECT_THAT(TakeCalls(), IsEmpty());
}

TEST_F(LeaseRenewerTest, RenewsAfterAThirdOfTheTimeToLive) {
  Keep("a", absl::Seconds(60));
  EXPECT_EQ(RenewDue(), absl::Seconds(20));
  clock_.Advance(absl::Seconds(20) - absl::Nanoseconds(1));
  EXPECT_EQ(RenewDue(), absl::Nanoseconds(1));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(RenewDue(), absl::Seconds(20));
  EXPECT_THAT(TakeCalls(), ElementsAre(ElementsAre("a")));
}

TEST_F(LeaseRenewerTest, CountsFromBeforeTheCallHoweverLongItTook) {
  keeper_.Keep({"a", 7, absl::Seconds(60)}, clock_.Now() - absl::Seconds(15));
  clock_.Advance(absl::Seconds(5));
  call_takes_ = absl::Seconds(8);
  EXPECT_EQ(RenewDue(), absl::Seconds(12));
  EXPECT_THAT(TakeCalls(), ElementsAre(ElementsAre("a")));
}

TEST_F(LeaseRenewerTest, LeasesWithoutAFiniteTimeToLiveNeedNoKeeping) {
  Keep("process", absl::ZeroDuration());
  Keep("forever", absl::InfiniteDuration());
  EXPECT_EQ(keeper_.size(), 0u);
}

TEST_F(LeaseRenewerTest, AllThatIsDueGoesInOneCallAndWhatWillBeSoonRidesAlong) {
  Keep("due", absl::Seconds(60));
  clock_.Advance(absl::Seconds(4));
  Keep("soon", absl::Seconds(60));
  clock_.Advance(absl::Seconds(4));
  Keep("later", absl::Seconds(60));
  Keep("short", absl::Seconds(12));
  clock_.Advance(absl::Seconds(12));
  EXPECT_EQ(RenewDue(), absl::Seconds(4));
  EXPECT_THAT(TakeCalls(),
              ElementsAre(UnorderedElementsAre("due", "soon", "short")));
  // From now on they are together.
  clock_.Advance(absl::Seconds(20));
  RenewDue();
  EXPECT_THAT(TakeCalls(), ElementsAre(UnorderedElementsAre("due", "soon",
                                                            "short", "later")));
}

TEST_F(LeaseRenewerTest, NothingRidesAlongWhileNothingIsDue) {
  Keep("a", absl::Seconds(60));
  clock_.Advance(absl::Seconds(16));
  EXPECT_EQ(RenewDue(), absl::Seconds(4));
  EXPECT_THAT(TakeCalls(), IsEmpty());
}

TEST_F(LeaseRenewerTest, EndedLeasesAreDropped) {
  for (const char* const id : {"live", "unknown", "expired", "foreign"}) {
    Keep(id, absl::Seconds(3));
  }
  outcomes_.emplace("unknown", absl::NotFoundError("unknown"));
  outcomes_.emplace("expired", absl::FailedPreconditionError("expired"));
  outcomes_.emplace("foreign", absl::PermissionDeniedError("not yours"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(RenewDue(), absl::Seconds(1));
  EXPECT_EQ(keeper_.size(), 1u);
  TakeCalls();
  clock_.Advance(absl::Seconds(1));
  RenewDue();
  EXPECT_THAT(TakeCalls(), ElementsAre(ElementsAre("live")));
}

TEST_F(LeaseRenewerTest, AnUndecidedLeaseIsTriedAgain) {
  Keep("a", absl::Seconds(30));
  clock_.Advance(absl::Seconds(10));
  for (const absl::Status& undecided :
       {absl::UnavailableError("busy"),
        absl::InvalidArgumentError("not understood"),
        absl::InternalError("for how long?"),
        absl::ResourceExhaustedError("no room"), absl::UnknownError("what?"),
        absl::UnimplementedError("what?")}) {
    outcomes_.insert_or_assign("a", undecided);
    EXPECT_EQ(RenewDue(), absl::Seconds(3)) << undecided;
    EXPECT_EQ(keeper_.size(), 1u) << undecided;
    clock_.Advance(absl::Seconds(3));
  }
  outcomes_.clear();
  EXPECT_EQ(RenewDue(), absl::Seconds(10));
}

TEST_F(LeaseRenewerTest, WithoutAnAnswerItTriesSeveralTimesBeforeTheEnd) {
  Keep("a", absl::Seconds(30));
  call_status_ = absl::UnavailableError("no daemon");
  clock_.Advance(absl::Seconds(10));
  for (int tries = 0; tries < 6; ++tries) {
    const absl::Duration next = RenewDue();
    EXPECT_EQ(next, absl::Seconds(3));
    clock_.Advance(next);
  }
  EXPECT_EQ(TakeCalls().size(), 6u);
  call_status_ = absl::OkStatus();
  EXPECT_EQ(RenewDue(), absl::Seconds(10));
}

TEST_F(LeaseRenewerTest, TriesAreNeitherBusyNorRare) {
  call_status_ = absl::UnavailableError("no daemon");
  Keep("short", absl::Milliseconds(30));
  clock_.Advance(absl::Milliseconds(10));
  EXPECT_EQ(RenewDue(), absl::Milliseconds(50));
  keeper_.Drop("short");
  Keep("long", absl::Hours(24));
  clock_.Advance(absl::Hours(8));
  EXPECT_EQ(RenewDue(), absl::Seconds(5));
}

TEST_F(LeaseRenewerTest, AnAnswerWithTooFewResultsIsNone) {
  Keep("a", absl::Seconds(30));
  clock_.Advance(absl::Seconds(10));
  LeaseRenewer keeper(&clock_, [](const auto&) {
    return std::vector<LeaseRenewer::Outcome>();
  });
  keeper.Keep({"a", 7, absl::Seconds(30)}, clock_.Now() - absl::Seconds(10));
  EXPECT_EQ(keeper.RenewDue() - clock_.Now(), absl::Seconds(3));
  EXPECT_EQ(keeper.size(), 1u);
}

TEST_F(LeaseRenewerTest, FollowsTheTimeToLiveThatTheDaemonGrants) {
  Keep("cut", absl::Seconds(60));
  Keep("freed", absl::Seconds(60));
  outcomes_.emplace("cut", absl::Seconds(6));
  outcomes_.emplace("freed", absl::ZeroDuration());
  clock_.Advance(absl::Seconds(20));
  EXPECT_EQ(RenewDue(), absl::Seconds(2));
  EXPECT_EQ(keeper_.size(), 1u);
}

TEST_F(LeaseRenewerTest, DroppedLeasesAreNotRenewed) {
  Keep("a", absl::Seconds(3));
  keeper_.Drop("a");
  keeper_.Drop("never kept");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(keeper_.RenewDue(), absl::InfiniteFuture());
  EXPECT_THAT(TakeCalls(), IsEmpty());
}

TEST_F(LeaseRenewerTest, ALeaseDroppedDuringItsRenewalStaysDropped) {
  Keep("a", absl::Seconds(3));
  during_call_ = [this] { keeper_.Drop("a"); };
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(keeper_.RenewDue(), absl::InfiniteFuture());
  EXPECT_EQ(keeper_.size(), 0u);
}

TEST_F(LeaseRenewerTest, ALeaseKeptDuringACallIsNotForgotten) {
  Keep("a", absl::Seconds(30));
  during_call_ = [this] { Keep("b", absl::Seconds(3)); };
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(RenewDue(), absl::Seconds(1));
  EXPECT_EQ(keeper_.size(), 2u);
}

TEST_F(LeaseRenewerTest, ALeaseKeptAnewDuringItsRenewalOutlivesTheAnswer) {
  Keep("a", absl::Seconds(30));
  outcomes_.emplace("a", absl::NotFoundError("unknown"));
  during_call_ = [this] { Keep("a", absl::Seconds(60)); };
  clock_.Advance(absl::Seconds(10));
  EXPECT_EQ(RenewDue(), absl::Seconds(20));
  EXPECT_EQ(keeper_.size(), 1u);
  during_call_ = nullptr;
  clock_.Advance(absl::Seconds(20));
  EXPECT_EQ(keeper_.RenewDue(), absl::InfiniteFuture());
}

TEST_F(LeaseRenewerTest, LargeNumbersAreSplitMostUrgentFirst) {
  for (size_t i = 0; i < LeaseRenewer::kMaxRenewals; ++i) {
    Keep(absl::StrCat("later", i), absl::Seconds(63));
  }
  Keep("urgent", absl::Seconds(60));
  clock_.Advance(absl::Seconds(20));
  EXPECT_EQ(RenewDue(), absl::Seconds(1));
  const std::vector<std::vector<std::string>> calls = TakeCalls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].size(), LeaseRenewer::kMaxRenewals);
  EXPECT_EQ(calls[0][0], "urgent");
  clock_.Advance(absl::Seconds(1));
  RenewDue();
  EXPECT_THAT(TakeCalls(), ElementsAre(::testing::SizeIs(1)));
}

// With a thread, which only the real clock can drive.
TEST(LeaseRenewerThreadTest, RenewsALeaseKeptAfterItWentToSleep) {
  Mutex mutex;
  CondVar renewed;
  int renewals = 0;
  LeaseRenewer keeper(
      &MonotonicClock::Get(),
      [&](const std::vector<LeaseRenewer::Renewal>& due)
          -> absl::StatusOr<std::vector<LeaseRenewer::Outcome>> {
        MutexLock lock(&mutex);
        ++renewals;
        renewed.NotifyAll();
        return std::vector<LeaseRenewer::Outcome>(due.size(), due[0].ttl);
      });
  keeper.Start();
  keeper.Start();
  keeper.Keep({"a", 0, absl::Hours(1)}, MonotonicClock::Get().Now());
  keeper.Keep({"b", 0, absl::Milliseconds(3)}, MonotonicClock::Get().Now());
  MutexLock lock(&mutex);
  while (renewals < 3) renewed.Wait(&mutex);
}

TEST(LeaseRenewerThreadTest, StopsWithNothingKept) {
  LeaseRenewer keeper(&MonotonicClock::Get(), [](const auto&) {
    return std::vector<LeaseRenewer::Outcome>();
  });
  keeper.Start();
}

}  // namespace
}  // namespace warmpool
