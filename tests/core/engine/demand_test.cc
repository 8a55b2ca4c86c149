#include "core/engine/demand.h"

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

class DemandTest : public testing::Test {
 protected:
  void Acquire(int count) {
    for (int i = 0; i < count; ++i) demand_.Acquired(clock_.Now());
  }
  void Release(int count) {
    for (int i = 0; i < count; ++i) demand_.Released(clock_.Now());
  }
  // The swing once time has passed.
  size_t SwingAfter(absl::Duration duration) {
    clock_.Advance(duration);
    demand_.Advance(clock_.Now());
    return demand_.swing();
  }

  FakeClock clock_;
  Demand demand_{absl::Seconds(10), clock_.Now()};
};

TEST_F(DemandTest, SwingIsPeakLessTrough) {
  EXPECT_EQ(demand_.swing(), 0u);
  Acquire(5);
  EXPECT_EQ(demand_.swing(), 5u);
  Release(3);
  EXPECT_EQ(demand_.swing(), 5u);
  Acquire(4);
  EXPECT_EQ(demand_.swing(), 6u);
}

TEST_F(DemandTest, ALevelThatStandsIsNoSwing) {
  Acquire(5);
  EXPECT_EQ(SwingAfter(absl::Seconds(10)), 5u) << "the last window counts";
  EXPECT_EQ(SwingAfter(absl::Seconds(10)), 0u);
  Release(2);
  EXPECT_EQ(demand_.swing(), 2u);
}

TEST_F(DemandTest, AWindowThatNobodySawIsOver) {
  Acquire(5);
  EXPECT_EQ(SwingAfter(absl::Seconds(20)), 0u);
}

TEST_F(DemandTest, AWindowEndsOnTime) {
  Acquire(5);
  Release(5);
  SwingAfter(absl::Seconds(10));
  EXPECT_EQ(SwingAfter(absl::Seconds(10) - absl::Nanoseconds(1)), 5u);
  EXPECT_EQ(SwingAfter(absl::Nanoseconds(1)), 0u);
}

TEST_F(DemandTest, SegmentsNobodyAcquiredDoNotCountBelowNone) {
  // Such as those that an earlier daemon left.
  Release(3);
  Acquire(2);
  EXPECT_EQ(demand_.swing(), 2u);
}

}  // namespace
}  // namespace warmpool
