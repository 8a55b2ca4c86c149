#include "core/engine/unproven.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

constexpr uid_t kUid = 1000;
constexpr size_t kSize = 4096;
constexpr absl::Duration kWithin = absl::Milliseconds(20);

// Segments here are handles of nothing.
class UnprovenTest : public testing::Test {
 protected:
  void Add(uid_t owner = kUid) {
    unproven_.Add(Segment(SizeClass{0}, kSize, owner), clock_.Now());
    unproven_.CheckInvariants();
  }
  std::vector<Segment> TakeDue() {
    std::vector<Segment> due = unproven_.TakeDue(clock_.Now());
    unproven_.CheckInvariants();
    return due;
  }

  FakeClock clock_;
  Unproven unproven_{kWithin};
};

TEST_F(UnprovenTest, WhatIsOutForItsProofCountsUntilThatIsDone) {
  Add();
  clock_.Advance(kWithin);
  Add();
  const std::vector<Segment> due = TakeDue();
  ASSERT_EQ(due.size(), 1u);
  EXPECT_TRUE(unproven_.is_proving());
  EXPECT_EQ(unproven_.size(), 2u);
  EXPECT_EQ(unproven_.bytes(), 2 * kSize);
  EXPECT_EQ(unproven_.CountOf(kUid, SizeClass{0}), 1u);
  unproven_.OnProven(kSize);
  EXPECT_FALSE(unproven_.is_proving());
  EXPECT_EQ(unproven_.size(), 1u);
  EXPECT_EQ(unproven_.bytes(), kSize);
  (void)unproven_.Take(kUid, SizeClass{0});
}

TEST_F(UnprovenTest, ALeaseTakesItsOwnUidsNewestWhichIsThenCountedNoMore) {
  Add();
  Add(kUid + 1);
  EXPECT_FALSE(unproven_.Take(kUid + 2, SizeClass{0}).has_value());
  EXPECT_FALSE(unproven_.Take(kUid, SizeClass{1}).has_value());
  EXPECT_TRUE(unproven_.Take(kUid, SizeClass{0}).has_value());
  EXPECT_FALSE(unproven_.is_proving());
  EXPECT_EQ(unproven_.size(), 1u);
  EXPECT_EQ(unproven_.NextDue(), clock_.Now() + kWithin);
  (void)unproven_.Take(kUid, SizeClass{0});
}

TEST_F(UnprovenTest, AcceptsNoMoreThanItsLimit) {
  while (unproven_.Accepts()) Add();
  EXPECT_EQ(unproven_.size(), Unproven::kMaxSegments);
  clock_.Advance(kWithin);
  EXPECT_EQ(TakeDue().size(), Unproven::kMaxSegments);
  EXPECT_TRUE(unproven_.Accepts());
  EXPECT_FALSE(Unproven(absl::ZeroDuration()).Accepts());
}

TEST_F(UnprovenTest, AProofOfWhatIsNotOutIsAnError) {
  Add();
  EXPECT_DEATH(unproven_.OnProven(kSize), "came back");
  (void)unproven_.Take(kUid, SizeClass{0});
}

}  // namespace
}  // namespace warmpool
