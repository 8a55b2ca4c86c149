#include "tests/torture/stamp.h"

#include <algorithm>
#include <vector>

#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"

namespace warmpool::torture {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr RandomId kMine{.high = 1, .low = 2};
constexpr RandomId kTheirs{.high = 3, .low = 4};

class StampTest : public ::testing::Test {
 protected:
  std::vector<std::byte> buffer_{5 * kStampedPage + 100};
  std::span<std::byte> pages_{buffer_};
};

TEST_F(StampTest, WhatWasStampedIsRight) {
  StampPages(pages_, kMine, 7);
  EXPECT_FALSE(FindWrongPage(pages_, kMine, 7).has_value());
  EXPECT_EQ(StampedPages(pages_), 6u);
}

TEST_F(StampTest, APageOfAnotherLeaseIsFound) {
  StampPages(pages_, kMine, 7);
  StampPages(pages_.subspan(3 * kStampedPage, kStampedPage), kTheirs, 8);
  const auto wrong = FindWrongPage(pages_, kMine, 7);
  ASSERT_TRUE(wrong.has_value());
  EXPECT_EQ(wrong->expected.page, 3u);
  EXPECT_EQ(wrong->found.lease, kTheirs);
  EXPECT_EQ(wrong->found.generation, 8u);
}

TEST_F(StampTest, AnotherGenerationOrPlaceIsWrong) {
  StampPages(pages_, kMine, 7);
  EXPECT_TRUE(FindWrongPage(pages_, kMine, 8).has_value());
  std::copy_n(buffer_.begin(), kStampedPage,
              buffer_.begin() + 2 * kStampedPage);
  EXPECT_EQ(FindWrongPage(pages_, kMine, 7)->expected.page, 2u);
}

TEST_F(StampTest, ALastPageWithoutRoomHasNoStamp) {
  const auto short_end = pages_.first(2 * kStampedPage + 8);
  StampPages(pages_, kTheirs, 1);
  StampPages(short_end, kMine, 7);
  EXPECT_FALSE(FindWrongPage(short_end, kMine, 7).has_value());
  EXPECT_TRUE(FindWrongPage(pages_, kMine, 7).has_value());
}

TEST_F(StampTest, TellsWhoseStampsThereAre) {
  EXPECT_THAT(StampedLeases(pages_), IsEmpty());
  StampPages(pages_, kTheirs, 1);
  StampPages(pages_.first(2 * kStampedPage), kMine, 2);
  EXPECT_THAT(StampedLeases(pages_), ElementsAre(kMine, kTheirs));
}

TEST_F(StampTest, TellsZerosFromOtherBytes) {
  EXPECT_TRUE(IsZero(pages_));
  buffer_.back() = std::byte{1};
  EXPECT_FALSE(IsZero(pages_));
  buffer_.assign(buffer_.size(), std::byte{1});
  EXPECT_FALSE(IsZero(pages_));
}

}  // namespace
}  // namespace warmpool::torture
