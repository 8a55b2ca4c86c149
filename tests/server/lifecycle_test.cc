#include "server/lifecycle.h"

#include <thread>

#include "core/base/clock.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using Phase = Lifecycle::Phase;

TEST(LifecycleTest, EachPhaseBeginsOnceAndNoneComesBack) {
  Lifecycle lifecycle(&MonotonicClock::Get());
  EXPECT_EQ(lifecycle.phase(), Phase::kStarting);
  EXPECT_TRUE(lifecycle.Advance(Phase::kServing));
  EXPECT_TRUE(lifecycle.Advance(Phase::kStopping));
  EXPECT_FALSE(lifecycle.Advance(Phase::kStopping));
  EXPECT_TRUE(lifecycle.Advance(Phase::kDraining));
  EXPECT_FALSE(lifecycle.Advance(Phase::kStopping));
  EXPECT_EQ(lifecycle.phase(), Phase::kDraining);
}

TEST(LifecycleTest, AStopDuringAStartIsNotUndoneOnceTheDaemonServes) {
  Lifecycle lifecycle(&MonotonicClock::Get());
  EXPECT_TRUE(lifecycle.Advance(Phase::kStopping));
  EXPECT_FALSE(lifecycle.Advance(Phase::kServing));
  EXPECT_EQ(lifecycle.phase(), Phase::kStopping);
}

TEST(LifecycleTest, ARequestToStopEndsTheWaitForOne) {
  Lifecycle lifecycle(&MonotonicClock::Get());
  std::thread stopper([&lifecycle] { lifecycle.RequestStop(); });
  lifecycle.AwaitStopRequest();
  stopper.join();
  // The phase is for whoever waited to change.
  EXPECT_EQ(lifecycle.phase(), Phase::kStarting);
}

TEST(LifecycleTest, ADrainEndsWithTheLastLease) {
  Lifecycle lifecycle(&MonotonicClock::Get());
  lifecycle.RequestStop();
  int leases = 3;
  lifecycle.AwaitDrained(absl::InfiniteDuration(),
                         [&leases] { return --leases == 0; });
  EXPECT_EQ(leases, 0);
}

TEST(LifecycleTest, ADrainEndsAfterItsTime) {
  Lifecycle lifecycle(&MonotonicClock::Get());
  lifecycle.RequestStop();
  const absl::Time begin = MonotonicClock::Get().Now();
  lifecycle.AwaitDrained(absl::Milliseconds(50), [] { return false; });
  EXPECT_GE(MonotonicClock::Get().Now() - begin, absl::Milliseconds(50));
}

TEST(LifecycleTest, ASecondRequestToStopEndsADrain) {
  Lifecycle lifecycle(&MonotonicClock::Get());
  lifecycle.RequestStop();
  std::thread stopper([&lifecycle] { lifecycle.RequestStop(); });
  lifecycle.AwaitDrained(absl::InfiniteDuration(), [] { return false; });
  stopper.join();
}

}  // namespace
}  // namespace warmpool
