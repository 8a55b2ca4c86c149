#include "server/serving_share.h"

#include <atomic>
#include <thread>

#include "core/base/clock.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

constexpr uid_t kAlice = 1000;
constexpr uid_t kBob = 1001;

class ServingShareTest : public ::testing::Test {
 protected:
  void Serve(uid_t uid, absl::Duration time) {
    const absl::Time begun = clock_.Now();
    clock_.Advance(time);
    share_.Charge(uid, begun, /*request_bytes=*/0);
  }
  bool IsUsedUp(uid_t uid) { return share_.IsUsedUp(uid, clock_.Now()); }

  FakeClock clock_;
  ServingShare share_{&clock_};
};

TEST_F(ServingShareTest, WhoIsAloneHasAllOfIt) {
  for (int i = 0; i < 100; ++i) {
    Serve(kAlice, absl::Milliseconds(1));
    EXPECT_FALSE(IsUsedUp(kAlice));
  }
}

TEST_F(ServingShareTest, WhoTakesMoreThanHisShareIsToldAndNobodyElse) {
  Serve(kBob, ServingShare::kWindow / 100);
  Serve(kAlice, ServingShare::kWindow / 5);
  EXPECT_FALSE(IsUsedUp(kAlice)) << "a quarter of the window is his";
  Serve(kAlice, ServingShare::kWindow / 10);
  EXPECT_TRUE(IsUsedUp(kAlice));
  EXPECT_FALSE(IsUsedUp(kBob));
}

TEST_F(ServingShareTest, WhoTakesNoMoreThanOthersIsNotMadeToWait) {
  Serve(kBob, ServingShare::kWindow / 2);
  Serve(kAlice, ServingShare::kWindow / 3);
  EXPECT_FALSE(IsUsedUp(kAlice));
  EXPECT_TRUE(IsUsedUp(kBob));
}

TEST_F(ServingShareTest, EachWindowBeginsAnew) {
  Serve(kBob, ServingShare::kWindow / 100);
  Serve(kAlice, ServingShare::kWindow / 2);
  ASSERT_TRUE(IsUsedUp(kAlice));
  clock_.Advance(ServingShare::kWindow);
  EXPECT_FALSE(IsUsedUp(kAlice));
}

TEST_F(ServingShareTest, WhoHasGoneCountsNoMore) {
  Serve(kBob, ServingShare::kWindow / 100);
  clock_.Advance(3 * ServingShare::kWindow);
  // The window begins with the first of these.
  Serve(kAlice, ServingShare::kWindow / 100);
  Serve(kAlice, ServingShare::kWindow * 4 / 5);
  EXPECT_FALSE(IsUsedUp(kAlice));
  Serve(kBob, absl::Microseconds(1));
  EXPECT_TRUE(IsUsedUp(kAlice));
}

// With a real clock: others are served all the time meanwhile.
TEST(ServingShareWaitingTest, WhoWaitsGoesOnHoweverBusyOthersAre) {
  const Clock& clock = MonotonicClock::Get();
  ServingShare share(&clock);
  ASSERT_TRUE(share.Start().ok());
  const absl::Time begun = clock.Now();
  share.Charge(kBob, begun, 0);
  // More than his share: he waits.
  share.Charge(kAlice, begun, 100'000'000);
  std::atomic<bool> went_on = false;
  share.WhenThereIsTime(kAlice, [&] { went_on = true; });
  EXPECT_FALSE(went_on);
  while (!went_on && clock.Now() < begun + absl::Seconds(10)) {
    share.Charge(kBob, clock.Now(), 0);
  }
  EXPECT_TRUE(went_on);
}

// Whoever waits may be let go on by the one before him, or by the next window.
TEST(ServingShareWaitingTest, AllWhoWaitGoOnAgainAndAgain) {
  const Clock& clock = MonotonicClock::Get();
  ServingShare share(&clock);
  ASSERT_TRUE(share.Start().ok());
  std::atomic<int> went_on = 0;
  for (int round = 1; round <= 20; ++round) {
    share.Charge(kBob, clock.Now(), 0);
    share.Charge(kAlice, clock.Now(), 3'000'000);
    for (int i = 0; i < 5; ++i) {
      share.WhenThereIsTime(kAlice, [&] {
        ++went_on;
        share.Charge(kAlice, clock.Now(), 0);
      });
    }
    const absl::Time end = clock.Now() + absl::Seconds(10);
    while (went_on < 5 * round && clock.Now() < end) {
      std::this_thread::yield();
      share.Charge(kBob, clock.Now(), 0);
      share.Charge(kAlice, clock.Now(), 0);
    }
    ASSERT_EQ(went_on, 5 * round);
  }
}

TEST(ServingShareWaitingTest, NobodyWaitsAfterTheEnd) {
  const Clock& clock = MonotonicClock::Get();
  ServingShare share(&clock);
  ASSERT_TRUE(share.Start().ok());
  share.Charge(kBob, clock.Now(), 0);
  share.Charge(kAlice, clock.Now(), 1'000'000'000);
  int went_on = 0;
  for (int i = 0; i < 1000; ++i) {
    share.WhenThereIsTime(kAlice, [&] { ++went_on; });
  }
  share.Stop();
  EXPECT_EQ(went_on, 1000);
  share.WhenThereIsTime(kAlice, [&] { ++went_on; });
  EXPECT_EQ(went_on, 1001);
}

}  // namespace
}  // namespace warmpool
