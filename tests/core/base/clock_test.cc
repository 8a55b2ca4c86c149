#include "core/base/clock.h"

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

TEST(MonotonicClockTest, NeverGoesBack) {
  const Clock& clock = MonotonicClock::Get();
  absl::Time last = clock.Now();
  for (int i = 0; i < 1000; ++i) {
    const absl::Time now = clock.Now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(FakeClockTest, AdvancesByHandOnly) {
  FakeClock clock;
  const absl::Time start = clock.Now();
  EXPECT_EQ(clock.Now(), start);
  clock.Advance(absl::Milliseconds(1500));
  EXPECT_EQ(clock.Now() - start, absl::Milliseconds(1500));
}

}  // namespace
}  // namespace warmpool
