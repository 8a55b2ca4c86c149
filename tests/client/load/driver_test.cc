#include "client/load/driver.h"

#include <map>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

constexpr absl::Duration kLeaseTime = absl::Microseconds(100);
constexpr absl::Duration kTouchTime = absl::Microseconds(30);
constexpr absl::Duration kReleaseTime = absl::Microseconds(50);

// A pool whose every answer takes as long as the constants say, or longer if
// a stall is planned.
class FakeTarget final : public LoadTarget {
 public:
  explicit FakeTarget(FakeClock* clock) : clock_(*clock) {}

  absl::StatusOr<LoadWarmth> Lease(size_t slot, uint64_t) override {
    EXPECT_FALSE(held_[slot]);
    clock_.Advance(kLeaseTime);
    ++leases;
    if (leases == stalled_lease) clock_.Advance(stall);
    if (leases == refused_lease) return absl::ResourceExhaustedError("full");
    held_[slot] = true;
    return warmth;
  }

  bool Touch(size_t slot) override {
    EXPECT_TRUE(held_[slot]);
    clock_.Advance(kTouchTime);
    return touches;
  }

  bool Holds(size_t slot) const override { return held_.at(slot); }

  absl::Status Release(size_t slot) override {
    EXPECT_TRUE(held_[slot]);
    held_[slot] = false;
    clock_.Advance(kReleaseTime);
    return absl::OkStatus();
  }

  int live() const {
    int live = 0;
    for (const auto& [slot, held] : held_) live += held;
    return live;
  }

  LoadWarmth warmth = LoadWarmth::kWarm;
  bool touches = true;
  int stalled_lease = 0;
  absl::Duration stall;
  int refused_lease = 0;
  int leases = 0;

 private:
  FakeClock& clock_;
  // Starts with all slots of the tests' scenarios empty.
  std::map<size_t, bool> held_ = {{0, false}, {1, false}, {2, false}};
};

class FakeStopper final : public Stopper {
 public:
  explicit FakeStopper(FakeClock* clock) : clock_(*clock) {}

  bool stopped() const override { return clock_.Now() >= stop_at; }
  void SleepUntil(absl::Time time) override {
    if (time > clock_.Now()) clock_.Advance(time - clock_.Now());
  }

  absl::Time stop_at = absl::InfiniteFuture();

 private:
  FakeClock& clock_;
};

class DriverTest : public ::testing::Test {
 protected:
  Measurement Run(size_t live, std::optional<uint64_t> leases,
                  const DriveOptions& options) {
    return Drive(Scenario({.kind = ScenarioKind::kCacheHeavy,
                           .size_bytes = 1,
                           .live = live,
                           .leases = leases},
                          1),
                 options, clock_, stopper_, target_, progress_);
  }

  FakeClock clock_;
  FakeStopper stopper_{&clock_};
  FakeTarget target_{&clock_};
  std::atomic<uint64_t> progress_ = 0;
};

TEST_F(DriverTest, MeasuresLeaseTouchAndReleaseApart) {
  const Measurement measured = Run(3, 10, {});
  EXPECT_EQ(measured.leases(), 10u);
  EXPECT_EQ(measured.lease.count(), 10u);
  EXPECT_EQ(measured.lease.min(), kLeaseTime);
  EXPECT_EQ(measured.lease.max(), kLeaseTime);
  EXPECT_EQ(measured.first_touch.count(), 10u);
  EXPECT_EQ(measured.first_touch.max(), kTouchTime);
  EXPECT_EQ(measured.release.count(), 10u);
  EXPECT_EQ(measured.release.max(), kReleaseTime);
  EXPECT_EQ(measured.elapsed, 10 * (kLeaseTime + kTouchTime + kReleaseTime));
  EXPECT_EQ(progress_, 10u);
  EXPECT_TRUE(measured.AllWell());
}

TEST_F(DriverTest, WarmthIsCounted) {
  target_.warmth = LoadWarmth::kStock;
  EXPECT_EQ(Run(1, 3, {}).stock, 3u);
  target_.warmth = LoadWarmth::kFresh;
  EXPECT_EQ(Run(1, 3, {}).fresh, 3u);
  target_.warmth = LoadWarmth::kWarm;
  EXPECT_EQ(Run(1, 3, {}).warm, 3u);
}

TEST_F(DriverTest, WhatIsNotTouchedHasNoTouchLatency) {
  target_.touches = false;
  EXPECT_EQ(Run(1, 3, {}).first_touch.count(), 0u);
}

TEST_F(DriverTest, ARefusedLeaseIsCountedAndTheRunGoesOn) {
  target_.refused_lease = 2;
  const Measurement measured = Run(3, 10, {});
  EXPECT_EQ(measured.leases(), 9u);
  EXPECT_EQ(measured.lease.count(), 9u);
  EXPECT_EQ(measured.release.count(), 9u);
  ASSERT_EQ(measured.failures.size(), 1u);
  const auto& [key, failure] = *measured.failures.begin();
  EXPECT_EQ(key, std::make_pair(Operation::kLease,
                                absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(failure.count, 1u);
  EXPECT_EQ(failure.message, "full");
}

TEST_F(DriverTest, TheDurationEndsARunAndWhatIsLiveIsReleased) {
  DriveOptions options;
  options.duration = absl::Milliseconds(10);
  const Measurement measured = Run(3, std::nullopt, options);
  EXPECT_NEAR(static_cast<double>(measured.leases()), 10'000. / 180, 2);
  EXPECT_EQ(measured.release.count(), measured.leases());
  EXPECT_EQ(target_.live(), 0);
}

TEST_F(DriverTest, AStopEndsARunAndWhatIsLiveIsReleased) {
  stopper_.stop_at = clock_.Now() + absl::Microseconds(250);
  const Measurement measured = Run(3, std::nullopt, {});
  EXPECT_EQ(measured.leases(), 2u);
  EXPECT_EQ(measured.release.count(), 2u);
  EXPECT_EQ(target_.live(), 0);
}

TEST_F(DriverTest, StepsOfAPacedRunAreDueAtTheirTimes) {
  DriveOptions options;
  options.pace = Pace::Of(/*leases_per_second=*/100, 1, 0);
  const absl::Time start = clock_.Now();
  const Measurement measured = Run(1, 10, options);
  // The last of 20 steps is due 19 half periods after the first.
  EXPECT_EQ(clock_.Now() - start, 19 * absl::Milliseconds(5) + kReleaseTime);
  EXPECT_EQ(measured.lease.max(), kLeaseTime);
  EXPECT_EQ(measured.release.max(), kReleaseTime);
}

TEST_F(DriverTest, ClientsOfAPacedRunTakeTurns) {
  const Pace second = Pace::Of(/*leases_per_second=*/100, 4, 1);
  EXPECT_EQ(second.first, absl::Milliseconds(5));
  EXPECT_EQ(second.interval, absl::Milliseconds(20));
}

// Coordinated omission: one stall of 100 ms delays the 20 steps that are due
// meanwhile, and each of them counts how long.
TEST_F(DriverTest, AStallCountsForEveryStepThatItDelays) {
  target_.stalled_lease = 1;
  target_.stall = absl::Milliseconds(100);
  DriveOptions options;
  options.pace = Pace::Of(/*leases_per_second=*/100, 1, 0);
  const Measurement measured = Run(1, 100, options);
  EXPECT_EQ(measured.lease.max(), kLeaseTime + absl::Milliseconds(100));
  // The second lease was due at 10 ms, and began after the stall.
  EXPECT_GT(measured.lease.Quantile(0.98), absl::Milliseconds(80));
  EXPECT_GT(measured.lease.Quantile(0.91), absl::Milliseconds(8));
  EXPECT_LT(measured.lease.Quantile(0.88), absl::Milliseconds(2));
  EXPECT_GT(measured.release.max(), absl::Milliseconds(95));
}

TEST_F(DriverTest, UnpacedAStallCountsOnce) {
  target_.stalled_lease = 1;
  target_.stall = absl::Milliseconds(100);
  const Measurement measured = Run(1, 100, {});
  EXPECT_EQ(measured.lease.max(), kLeaseTime + absl::Milliseconds(100));
  EXPECT_LT(measured.lease.Quantile(0.99), kLeaseTime * 1.01);
}

TEST_F(DriverTest, APacedRunMakesNoStepThatIsDueAfterItsEnd) {
  DriveOptions options;
  options.duration = absl::Milliseconds(50);
  options.pace = Pace::Of(/*leases_per_second=*/100, 1, 0);
  // Steps are due at 0, 5, ... 45 ms.
  EXPECT_EQ(Run(1, std::nullopt, options).leases(), 5u);
}

}  // namespace
}  // namespace warmpool
