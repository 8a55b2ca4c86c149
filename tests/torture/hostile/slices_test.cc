#include "tests/torture/hostile/slices.h"

#include <optional>

#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace warmpool::torture {
namespace {

absl::Time At(int milliseconds) {
  return absl::UnixEpoch() + absl::Milliseconds(milliseconds);
}

class SlicesTest : public ::testing::Test {
 protected:
  SlicesTest() {
    slices_.Begin(SliceKind::kQuiet, At(1000));
    slices_.Begin(SliceKind::kHostile, At(2000));
    slices_.Begin(SliceKind::kQuiet, At(3000));
    slices_.End(At(4000));
  }

  std::optional<SliceKind> KindOf(int begin, int end) const {
    return slices_.KindOf(At(begin), At(end));
  }

  Slices slices_{absl::Milliseconds(100)};
};

TEST_F(SlicesTest, ASpanIsOfTheSliceThatItLiesIn) {
  EXPECT_EQ(KindOf(1200, 1300), SliceKind::kQuiet);
  EXPECT_EQ(KindOf(2200, 2999), SliceKind::kHostile);
  EXPECT_EQ(KindOf(3100, 3200), SliceKind::kQuiet);
}

TEST_F(SlicesTest, WhatLiesInTwoIsOfNone) {
  EXPECT_EQ(KindOf(1900, 2100), std::nullopt);
  EXPECT_EQ(KindOf(1900, 3500), std::nullopt);
  EXPECT_EQ(KindOf(2500, 3000), std::nullopt);
}

TEST_F(SlicesTest, WhatLiesOutsideIsOfNone) {
  EXPECT_EQ(KindOf(100, 200), std::nullopt);
  EXPECT_EQ(KindOf(3900, 4100), std::nullopt);
  EXPECT_EQ(KindOf(5000, 5100), std::nullopt);
}

TEST_F(SlicesTest, ASliceSettlesFirst) {
  EXPECT_EQ(KindOf(2050, 2090), std::nullopt);
  EXPECT_EQ(KindOf(2099, 2300), std::nullopt);
  EXPECT_EQ(KindOf(2100, 2300), SliceKind::kHostile);
}

TEST_F(SlicesTest, ThereAreNoneAtFirst) {
  EXPECT_EQ(Slices(absl::ZeroDuration()).KindOf(At(1), At(2)), std::nullopt);
}

}  // namespace
}  // namespace warmpool::torture
