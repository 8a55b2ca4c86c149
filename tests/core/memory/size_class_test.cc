#include "core/memory/size_class.h"

#include <cstdint>
#include <random>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

size_t BytesFor(const SizeClasses& classes, uint64_t bytes) {
  const absl::StatusOr<SizeClass> size_class = classes.For(bytes);
  EXPECT_THAT(size_class, IsOk()) << bytes;
  return size_class.ok() ? classes.Bytes(*size_class) : 0;
}

TEST(SizeClassesTest, EveryBoundaryBelongsToItsClassAndOneMoreByteToTheNext) {
  const SizeClasses classes;
  for (uint32_t i = 0; i < classes.count(); ++i) {
    const size_t bytes = classes.Bytes(SizeClass{i});
    EXPECT_EQ(classes.For(bytes).value(), SizeClass{i});
    EXPECT_EQ(classes.For(bytes - 1).value(), SizeClass{i});
    if (i + 1 < classes.count()) {
      EXPECT_EQ(classes.For(bytes + 1).value(), SizeClass{i + 1});
    }
  }
}

TEST(SizeClassesTest, GoFromOnePageToTheMaximumInWholePages) {
  const SizeClasses classes;
  EXPECT_EQ(classes.Bytes(SizeClass{0}), kPageSize);
  EXPECT_EQ(classes.Bytes(SizeClass{uint32_t(classes.count()) - 1}), kGiB);
  for (uint32_t i = 0; i < classes.count(); ++i) {
    EXPECT_EQ(classes.Bytes(SizeClass{i}) % kPageSize, 0u);
    if (i > 0) {
      EXPECT_GT(classes.Bytes(SizeClass{i}), classes.Bytes(SizeClass{i - 1}));
    }
  }
}

TEST(SizeClassesTest, HaveFourStepsPerDoublingFrom16KiB) {
  const SizeClasses classes;
  for (size_t doubling = 16 * kKiB; doubling < kGiB; doubling *= 2) {
    const uint32_t first = classes.For(doubling)->index;
    for (uint32_t step = 0; step <= 4; ++step) {
      EXPECT_EQ(classes.Bytes(SizeClass{first + step}),
                doubling + doubling / 4 * step);
    }
  }
}

TEST(SizeClassesTest, CommonSizesAreClassesOfTheirOwn) {
  const SizeClasses classes;
  for (const size_t bytes :
       {64 * kKiB, 1 * kMiB, 2 * kMiB, 3 * kMiB, 64 * kMiB, 256 * kMiB, kGiB}) {
    EXPECT_EQ(BytesFor(classes, bytes), bytes);
  }
}

TEST(SizeClassesTest, RoundingWastesLessThanAQuarterOrOnePage) {
  const SizeClasses classes;
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    // Spread over all magnitudes.
    const uint64_t magnitude = uint64_t{1} << (random() % 31);
    const uint64_t bytes = std::min<uint64_t>(magnitude + random() % magnitude,
                                              classes.max_bytes());
    const uint64_t waste = BytesFor(classes, bytes) - bytes;
    ASSERT_LT(waste, bytes > 16 * kKiB ? (bytes + 3) / 4 : kPageSize) << bytes;
  }
}

TEST(SizeClassesTest, RefusesNothingAtAll) {
  EXPECT_THAT(SizeClasses().For(0), StatusIs(absl::StatusCode::kInvalidArgument,
                                             HasSubstr("size 0 bytes")));
}

TEST(SizeClassesTest, RefusesWhatIsAboveTheMaximumNamingBoth) {
  const SizeClasses classes;
  EXPECT_THAT(classes.For(kGiB), IsOk());
  for (const uint64_t bytes :
       {kGiB + 1, uint64_t{1} << 62, uint64_t{1} << 63, UINT64_MAX}) {
    EXPECT_THAT(classes.For(bytes),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(std::to_string(bytes)),
                               HasSubstr("maximum of 1073741824 bytes"))));
  }
}

TEST(SizeClassesTest, TellsANegativeSizeAsItWasMeant) {
  EXPECT_THAT(SizeClasses().For(static_cast<uint64_t>(int64_t{-5})),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("-5 as a signed number")));
  EXPECT_THAT(SizeClasses().For(kGiB + 1),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       testing::Not(HasSubstr("signed"))));
}

TEST(SizeClassesTest, AMaximumBetweenClassesIsRoundedUpForItsSegmentOnly) {
  const SizeClasses classes(5000);
  EXPECT_EQ(BytesFor(classes, 5000), 2 * kPageSize);
  EXPECT_THAT(classes.For(5001), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(classes.max_bytes(), 5000u);
}

TEST(SizeClassesTest, TakesMaximaFromOneByteToTheLargest) {
  const SizeClasses smallest(1);
  EXPECT_EQ(smallest.count(), 1u);
  EXPECT_EQ(BytesFor(smallest, 1), kPageSize);
  const SizeClasses largest(SizeClasses::kMaxMaxBytes);
  EXPECT_EQ(BytesFor(largest, SizeClasses::kMaxMaxBytes),
            SizeClasses::kMaxMaxBytes);
}

}  // namespace
}  // namespace warmpool
