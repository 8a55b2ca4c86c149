#include "client/leases/reconciler.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Le;

// A reconciler without a thread, and steps that do as the test says.
class ReconcilerTest : public ::testing::Test {
 protected:
  // The steps since the last time asked: l(ook), a(ssert), r(elease).
  std::string TakeSteps() { return std::exchange(steps_, ""); }

  // Time until the reconciler wants to be called again; at least zero.
  absl::Duration RunDue() {
    const absl::Time next = reconciler_.RunDue();
    return std::max(next - clock_.Now(), absl::ZeroDuration());
  }

  FakeClock clock_;
  std::string steps_;
  bool lost_ = false;
  absl::Status asserted_;
  absl::StatusOr<bool> released_ = true;
  std::function<void()> during_release_ = [] {};
  Reconciler reconciler_{&clock_,
                         {.notice_loss =
                              [this] {
                                steps_ += 'l';
                                return std::exchange(lost_, false);
                              },
                          .assert_known =
                              [this] {
                                steps_ += 'a';
                                return asserted_;
                              },
                          .release_forgotten =
                              [this] {
                                steps_ += 'r';
                                during_release_();
                                return released_;
                              }}};
};

TEST_F(ReconcilerTest, WithNothingToDoItLooksNowAndThen) {
  EXPECT_EQ(RunDue(), Reconciler::kLookEvery);
  EXPECT_EQ(RunDue(), Reconciler::kLookEvery);
  EXPECT_EQ(TakeSteps(), "l");
  clock_.Advance(Reconciler::kLookEvery);
  EXPECT_EQ(RunDue(), Reconciler::kLookEvery);
  EXPECT_EQ(TakeSteps(), "l");
}

TEST_F(ReconcilerTest, ALossThatItNoticesIsReconciledOnce) {
  RunDue();
  lost_ = true;
  clock_.Advance(Reconciler::kLookEvery);
  EXPECT_EQ(RunDue(), Reconciler::kLookEvery);
  EXPECT_EQ(TakeSteps(), "llar");
  clock_.Advance(Reconciler::kLookEvery);
  RunDue();
  EXPECT_EQ(TakeSteps(), "l");
}

TEST_F(ReconcilerTest, ALossThatIsNotedIsReconciledAtOnce) {
  RunDue();
  TakeSteps();
  reconciler_.RecordLoss();
  reconciler_.RecordLoss();
  RunDue();
  EXPECT_EQ(TakeSteps(), "ar");
}

TEST_F(ReconcilerTest, WhatIsForgottenIsReleasedWithoutAssertions) {
  RunDue();
  TakeSteps();
  reconciler_.RecordForgotten();
  RunDue();
  EXPECT_EQ(TakeSteps(), "r");
}

TEST_F(ReconcilerTest, NothingIsReleasedBeforeAllIsAsserted) {
  RunDue();
  TakeSteps();
  asserted_ = absl::UnavailableError("no daemon");
  reconciler_.RecordLoss();
  RunDue();
  EXPECT_EQ(TakeSteps(), "a");
  asserted_ = absl::OkStatus();
  released_ = absl::UnavailableError("no daemon");
  clock_.Advance(Reconciler::kFirstPause);
  RunDue();
  EXPECT_EQ(TakeSteps(), "ar");
  released_ = true;
  clock_.Advance(2 * Reconciler::kFirstPause);
  RunDue();
  EXPECT_EQ(TakeSteps(), "r");
}

TEST_F(ReconcilerTest, TriesAgainUntilNothingIsInDoubt) {
  RunDue();
  TakeSteps();
  released_ = false;
  reconciler_.RecordForgotten();
  EXPECT_LE(RunDue(), Reconciler::kFirstPause);
  clock_.Advance(Reconciler::kFirstPause);
  released_ = true;
  RunDue();
  EXPECT_EQ(TakeSteps(), "rr");
}

TEST_F(ReconcilerTest, PausesAreRandomAndGrowUpToALimit) {
  RunDue();
  asserted_ = absl::UnavailableError("no daemon");
  reconciler_.RecordLoss();
  absl::Duration longest = Reconciler::kFirstPause;
  for (int tries = 0; tries < 12; ++tries) {
    EXPECT_THAT(RunDue(), AllOf(Ge(absl::ZeroDuration()), Le(longest)));
    clock_.Advance(longest);
    longest = std::min(2 * longest, Reconciler::kLongestPause);
  }
  EXPECT_EQ(longest, Reconciler::kLongestPause);
  // Success starts over.
  asserted_ = absl::OkStatus();
  RunDue();
  asserted_ = absl::UnavailableError("no daemon");
  reconciler_.RecordLoss();
  EXPECT_THAT(RunDue(), AllOf(Ge(Reconciler::kFirstPause / 2),
                              Le(Reconciler::kFirstPause)));
}

TEST_F(ReconcilerTest, WhereADaemonHasNoWordOnALeaseTheRestGoesOn) {
  RunDue();
  TakeSteps();
  asserted_ = absl::InvalidArgumentError("not understood");
  reconciler_.RecordLoss();
  RunDue();
  EXPECT_EQ(TakeSteps(), "ar") << "what is forgotten does not wait for it";
  // After each assertion, which may have brought back what was released
  // meanwhile.
  asserted_ = absl::OkStatus();
  clock_.Advance(Reconciler::kFirstPause);
  RunDue();
  EXPECT_EQ(TakeSteps(), "ar");
  clock_.Advance(Reconciler::kLookEvery);
  RunDue();
  EXPECT_EQ(TakeSteps(), "l");
}

TEST_F(ReconcilerTest, ADaemonThatHasNoWordIsAskedMoreRarelyUntilALoss) {
  RunDue();
  asserted_ = absl::InvalidArgumentError("not understood");
  reconciler_.RecordLoss();
  for (int tries = 0; tries < 12; ++tries) {
    RunDue();
    clock_.Advance(Reconciler::kLongestPauseUndecided);
  }
  RunDue();
  TakeSteps();
  // It looks for a loss as before.
  EXPECT_LE(RunDue(), Reconciler::kLookEvery);
  clock_.Advance(Reconciler::kLongestPauseUndecided / 2 - absl::Nanoseconds(1));
  RunDue();
  EXPECT_EQ(TakeSteps(), "l");
  reconciler_.RecordLoss();
  clock_.Advance(Reconciler::kLongestPause);
  RunDue();
  EXPECT_THAT(TakeSteps(), ::testing::HasSubstr("ar"));
}

TEST_F(ReconcilerTest, FurtherLossesDoNotCutAPauseShort) {
  RunDue();
  TakeSteps();
  asserted_ = absl::UnavailableError("no daemon");
  reconciler_.RecordLoss();
  RunDue();
  EXPECT_EQ(TakeSteps(), "a");
  reconciler_.RecordLoss();
  EXPECT_GT(RunDue(), absl::ZeroDuration());
  EXPECT_EQ(TakeSteps(), "");
}

TEST_F(ReconcilerTest, ALossNotedDuringAStepIsReconciledAfterIt) {
  RunDue();
  TakeSteps();
  bool noted = false;
  during_release_ = [&] {
    if (!std::exchange(noted, true)) reconciler_.RecordLoss();
  };
  reconciler_.RecordLoss();
  EXPECT_EQ(RunDue(), absl::ZeroDuration());
  EXPECT_EQ(TakeSteps(), "ar");
  EXPECT_EQ(RunDue(), Reconciler::kLookEvery);
  EXPECT_EQ(TakeSteps(), "ar");
}

// With a thread, which only the real clock can drive.
TEST(ReconcilerThreadTest, ReconcilesALossNotedAfterItWentToSleep) {
  Mutex mutex;
  CondVar changed;
  int releases = 0;
  Reconciler reconciler(&MonotonicClock::Get(),
                        {.notice_loss = [] { return false; },
                         .assert_known = [] { return absl::OkStatus(); },
                         .release_forgotten =
                             [&] {
                               MutexLock lock(&mutex);
                               ++releases;
                               changed.NotifyAll();
                               return true;
                             }});
  reconciler.Start();
  reconciler.Start();
  for (int losses = 1; losses <= 3; ++losses) {
    reconciler.RecordLoss();
    MutexLock lock(&mutex);
    while (releases < losses) changed.Wait(&mutex);
  }
  reconciler.Stop();
  reconciler.RecordLoss();
  reconciler.Start();
  EXPECT_EQ(releases, 3);
}

TEST(ReconcilerThreadTest, StopsWithoutHavingStarted) {
  Reconciler reconciler(&MonotonicClock::Get(), {});
  reconciler.RecordForgotten();
  reconciler.Stop();
  reconciler.Stop();
}

}  // namespace
}  // namespace warmpool
