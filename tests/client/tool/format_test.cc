#include "client/tool/format.h"

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(FormatTest, CountsAreGroupedByThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(UINT64_MAX), "18,446,744,073,709,551,615");
  EXPECT_EQ(FormatCounts({{"hits", 1000}, {"misses", 2}}),
            "hits 1,000, misses 2");
}

TEST(FormatTest, LatenciesHaveThreeSignificantDigits) {
  EXPECT_EQ(FormatLatency(absl::ZeroDuration()), "0 ns");
  EXPECT_EQ(FormatLatency(absl::Nanoseconds(850)), "850 ns");
  EXPECT_EQ(FormatLatency(absl::Nanoseconds(1000)), "1.00 us");
  EXPECT_EQ(FormatLatency(absl::Nanoseconds(12'345)), "12.3 us");
  EXPECT_EQ(FormatLatency(absl::Nanoseconds(99'960)), "100 us");
  EXPECT_EQ(FormatLatency(absl::Nanoseconds(999'499)), "999 us");
  // Not "1000 us".
  EXPECT_EQ(FormatLatency(absl::Nanoseconds(999'600)), "1.00 ms");
  EXPECT_EQ(FormatLatency(absl::Milliseconds(31'000)), "31.0 s");
  EXPECT_EQ(FormatLatency(absl::Minutes(30)), "1800 s");
}

TEST(FormatTest, AgesHaveTwoUnitsAtMost) {
  EXPECT_EQ(FormatAge(absl::Milliseconds(900)), "0s");
  EXPECT_EQ(FormatAge(absl::Seconds(59)), "59s");
  EXPECT_EQ(FormatAge(absl::Seconds(125)), "2m05s");
  EXPECT_EQ(FormatAge(absl::Minutes(187)), "3h07m");
  EXPECT_EQ(FormatAge(absl::Hours(98)), "4d02h");
}

TEST(FormatTest, AShareOfNothingIsNoNumber) {
  EXPECT_EQ(FormatShare(997, 1000), "99.7 %");
  EXPECT_EQ(FormatShare(0, 5), "0.0 %");
  EXPECT_EQ(FormatShare(0, 0), "-");
}

}  // namespace
}  // namespace warmpool
