#include "server/stats/recent_stats.h"

#include "gtest/gtest.h"
#include "server/wire/conversion.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

class RecentStatsTest : public ::testing::Test {
 protected:
  // Something that was counted, and is told of.
  absl::Time Count(uint64_t times = 1) {
    stats_.mutable_leases()->set_granted_warm(stats_.leases().granted_warm() +
                                              times);
    return recent_.Poll();
  }

  uint64_t Recent() {
    return recent_.Until(clock_.Now(), stats_).leases().granted_warm();
  }
  absl::Duration Window() {
    return *FromProto(recent_.Until(clock_.Now(), stats_).window(), "window");
  }

  FakeClock clock_;
  v1::GetStatsResponse stats_;
  RecentStats recent_{&clock_, [this] { return stats_; }};
};

TEST_F(RecentStatsTest, OfAYoungDaemonItIsAllThereWas) {
  Count(3);
  clock_.Advance(absl::Seconds(2));
  Count(2);
  EXPECT_EQ(Recent(), 5u);
  EXPECT_EQ(Window(), absl::Seconds(2));
}

TEST_F(RecentStatsTest, WhatIsOlderThanTheWindowIsNotInIt) {
  for (int second = 0; second < 30; ++second) {
    clock_.Advance(absl::Seconds(1));
    Count(100);
  }
  EXPECT_EQ(Recent(), 1000u);
  EXPECT_EQ(Window(), RecentStats::kWindow);
  clock_.Advance(absl::Milliseconds(500));
  EXPECT_EQ(Recent(), 1000u);
  EXPECT_EQ(Window(), absl::Milliseconds(10500))
      << "and so it is no rate of 10 s";
}

TEST_F(RecentStatsTest, AfterASilenceOnlyWhatCameAfterItCounts) {
  Count(3);
  clock_.Advance(absl::Seconds(1));
  // As it said.
  recent_.Poll();
  clock_.Advance(absl::Minutes(10));
  EXPECT_EQ(Recent(), 0u);
  Count(7);
  EXPECT_EQ(Recent(), 7u);
  EXPECT_EQ(Window(), RecentStats::kWindow);
}

TEST_F(RecentStatsTest, WantsToLookOnceMoreAfterWhatFollowsASnapshotClosely) {
  clock_.Advance(absl::Seconds(5));
  EXPECT_EQ(Count(), absl::InfiniteFuture());
  clock_.Advance(absl::Milliseconds(300));
  const absl::Time again = Count(4);
  EXPECT_EQ(again, clock_.Now() + absl::Milliseconds(700));
  clock_.Advance(again - clock_.Now());
  EXPECT_EQ(recent_.Poll(), absl::InfiniteFuture());
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(Recent(), 0u);
}

TEST_F(RecentStatsTest, ReadsOnceASecondHoweverOftenItLooks) {
  int reads = 0;
  RecentStats recent(&clock_, [&] {
    ++reads;
    return stats_;
  });
  for (int i = 0; i < 1000; ++i) {
    clock_.Advance(absl::Milliseconds(5));
    recent.Poll();
  }
  EXPECT_EQ(reads, 1 + 5);
}

}  // namespace
}  // namespace warmpool
