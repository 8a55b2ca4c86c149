#include "core/engine/stock_work.h"

#include "gtest/gtest.h"

namespace warmpool {
namespace {

constexpr absl::Time kNow = absl::UnixEpoch();

TEST(StockWorkTest, OneIsMadeAtATime) {
  StockWork work;
  EXPECT_TRUE(work.MayBegin(kNow));
  work.Begin();
  EXPECT_FALSE(work.MayBegin(kNow));
  EXPECT_DEATH(work.Begin(), "being made");
  work.End();
  EXPECT_TRUE(work.MayBegin(kNow));
}

TEST(StockWorkTest, OnlyWhatIsRunningIsGivenUp) {
  StockWork work;
  work.GiveUp();
  EXPECT_FALSE(work.given_up());
  work.Begin();
  EXPECT_FALSE(work.given_up());
  work.GiveUp();
  EXPECT_TRUE(work.given_up());
  work.CheckInvariants();
  work.End();
  work.Begin();
  EXPECT_FALSE(work.given_up()) << "the next is not";
  work.CheckInvariants();
}

TEST(StockWorkTest, TheLongestPauseCounts) {
  StockWork work;
  work.PauseUntil(kNow + absl::Seconds(2));
  work.PauseUntil(kNow + absl::Seconds(1));
  EXPECT_FALSE(work.MayBegin(kNow + absl::Seconds(1)));
  EXPECT_TRUE(work.MayBegin(kNow + absl::Seconds(2)));
}

TEST(StockWorkTest, ALackOfRoomIsToldOnce) {
  StockWork work;
  EXPECT_FALSE(work.TakeLacksRoom());
  work.set_lacks_room(true);
  EXPECT_TRUE(work.TakeLacksRoom());
  EXPECT_FALSE(work.TakeLacksRoom());
}

}  // namespace
}  // namespace warmpool
