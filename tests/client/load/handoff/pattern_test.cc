#include "client/load/handoff/pattern.h"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

constexpr size_t kPages = 5;
constexpr Pattern kPattern = {.seed = 3, .round = 17};

class PatternTest : public ::testing::Test {
 protected:
  PatternTest() { kPattern.Write(bytes_); }

  absl::Status Check(const Pattern& pattern) const {
    return pattern.Check({bytes_}, bytes_.size());
  }

  std::vector<std::byte> bytes_ =
      std::vector<std::byte>(kPages * kPatternPage, std::byte{0});
};

TEST_F(PatternTest, WhatWasWrittenIsThere) {
  EXPECT_TRUE(Check(kPattern).ok()) << Check(kPattern);
}

TEST_F(PatternTest, ItIsTheSameHoweverTheBytesAreCut) {
  const std::span<const std::byte> all = bytes_;
  // Between pages, in the midst of what is checked, and everywhere.
  for (const size_t size :
       {kPatternPage, kPatternPage + 5, size_t{3}, size_t{1000}}) {
    ConstPieces pieces;
    for (size_t at = 0; at < all.size(); at += size) {
      pieces.push_back(all.subspan(at, std::min(size, all.size() - at)));
    }
    const absl::Status status = kPattern.Check(pieces, bytes_.size());
    EXPECT_TRUE(status.ok()) << size << ": " << status;
  }
}

TEST_F(PatternTest, AByteThatIsNotAsWrittenIsToldByItsPage) {
  bytes_[3 * kPatternPage + 7] ^= std::byte{0x80};
  const absl::Status status = Check(kPattern);
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("1 of 5 pages of round 17 are not as written, first "
                        "page 3"));
}

TEST_F(PatternTest, AnotherRoundOrSeedHasOtherValuesInEveryPage) {
  EXPECT_THAT(std::string(Check({.seed = 3, .round = 18}).message()),
              HasSubstr("5 of 5 pages"));
  EXPECT_THAT(std::string(Check({.seed = 4, .round = 17}).message()),
              HasSubstr("5 of 5 pages"));
}

TEST_F(PatternTest, PagesThatChangedPlacesAreFound) {
  std::swap_ranges(bytes_.begin(), bytes_.begin() + kPatternPage,
                   bytes_.begin() + kPatternPage);
  EXPECT_THAT(std::string(Check(kPattern).message()),
              HasSubstr("2 of 5 pages"));
}

TEST_F(PatternTest, BytesThatAreMissingAreFound) {
  const absl::Status status = kPattern.Check(
      {std::span<const std::byte>(bytes_).first(4 * kPatternPage)},
      bytes_.size());
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("round 17 has 16384 bytes, 20480 were written"));
}

}  // namespace
}  // namespace warmpool
