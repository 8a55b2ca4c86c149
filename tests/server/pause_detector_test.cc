#include "server/pause_detector.h"

#include <algorithm>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

constexpr absl::Duration kGrace = PauseDetector::kGrace;

class PauseDetectorTest : public ::testing::Test {
 protected:
  // Looks when it is asked for until `due`, as a process that runs does.
  void RunUntil(absl::Time due) {
    while (now_ < due) {
      now_ = detector_.NextLook(now_, due);
      detector_.Poll(now_);
    }
  }
  bool InGrace() { return detector_.Poll(now_) > now_; }

  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  PauseDetector detector_{now_};
};

TEST_F(PauseDetectorTest, SeesNoPauseInAProcessThatRuns) {
  for (int i = 0; i < 5; ++i) RunUntil(now_ + absl::Minutes(i));
  EXPECT_FALSE(InGrace());
}

TEST_F(PauseDetectorTest, GrantsAGraceAfterAPause) {
  detector_.NextLook(now_, now_ + absl::Seconds(60));
  now_ += absl::Seconds(70);
  EXPECT_EQ(detector_.Poll(now_), now_ + kGrace);
}

// The deadline itself may be met in time by a process that was stopped for most
// of the time before.
TEST_F(PauseDetectorTest, SeesAPauseThatEndsJustBeforeTheDeadline) {
  const absl::Time due = now_ + absl::Seconds(60);
  detector_.NextLook(now_, due);
  now_ = due - absl::Milliseconds(50);
  detector_.Poll(now_);
  detector_.NextLook(now_, due);
  now_ = due;
  EXPECT_GE(detector_.Poll(now_), due + kGrace - absl::Milliseconds(50));
}

TEST_F(PauseDetectorTest, IgnoresAPauseThatLeavesTimeBeforeTheDeadline) {
  const absl::Time due = now_ + absl::Seconds(60);
  detector_.NextLook(now_, due);
  now_ = due - kGrace;
  RunUntil(due);
  EXPECT_FALSE(InGrace());
}

TEST_F(PauseDetectorTest, WakesSeldomWhileNothingIsDueSoon) {
  EXPECT_EQ(detector_.NextLook(now_, now_ + absl::Hours(1)),
            now_ + absl::Hours(1) - kGrace);
  EXPECT_EQ(detector_.NextLook(now_, absl::InfiniteFuture()),
            absl::InfiniteFuture());
}

TEST_F(PauseDetectorTest, SeesAPauseDuringWork) {
  detector_.NextLook(now_, now_);
  now_ += absl::Seconds(5);
  EXPECT_TRUE(InGrace());
}

TEST_F(PauseDetectorTest, EachOfSeveralLongPausesGetsAGrace) {
  for (int i = 0; i < 20; ++i) {
    detector_.NextLook(now_, now_);
    now_ += 4 * kGrace;
    EXPECT_EQ(detector_.Poll(now_), now_ + kGrace) << i;
  }
}

// Whoever keeps the daemon so busy that it looks late each time postpones what
// is overdue by a little, not for ever.
TEST_F(PauseDetectorTest, ABusyProcessIsInGraceForAQuarterOfTheTime) {
  const absl::Duration late =
      PauseDetector::kShortestPause + absl::Milliseconds(1);
  absl::Duration in_grace;
  const absl::Time begin = now_;
  while (now_ < begin + absl::Minutes(10)) {
    detector_.NextLook(now_, now_);
    now_ += late;
    in_grace +=
        std::clamp(detector_.Poll(now_) - now_, absl::ZeroDuration(), late);
  }
  EXPECT_LE(in_grace, absl::Minutes(10) / 4 + PauseDetector::kMostGrace +
                          absl::Seconds(1));
}

}  // namespace
}  // namespace warmpool
