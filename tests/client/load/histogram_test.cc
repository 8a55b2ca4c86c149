#include "client/load/histogram.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(HistogramTest, WithoutValuesEverythingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), absl::ZeroDuration());
  EXPECT_EQ(histogram.max(), absl::ZeroDuration());
  EXPECT_EQ(histogram.Mean(), absl::ZeroDuration());
  EXPECT_EQ(histogram.Quantile(0.5), absl::ZeroDuration());
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram histogram;
  for (int ns = 1; ns <= 200; ++ns) histogram.Record(absl::Nanoseconds(ns));
  EXPECT_EQ(histogram.Quantile(0), absl::Nanoseconds(1));
  EXPECT_EQ(histogram.Quantile(0.5), absl::Nanoseconds(100));
  EXPECT_EQ(histogram.Quantile(0.99), absl::Nanoseconds(198));
  EXPECT_EQ(histogram.Quantile(1), absl::Nanoseconds(200));
  EXPECT_EQ(histogram.Mean(), absl::Nanoseconds(100.5));
}

TEST(HistogramTest, MinMaxAndMeanAreExactWhereQuantilesAreNot) {
  Histogram histogram;
  histogram.Record(absl::Nanoseconds(1'234'567));
  histogram.Record(absl::Nanoseconds(7'654'321));
  EXPECT_EQ(histogram.min(), absl::Nanoseconds(1'234'567));
  EXPECT_EQ(histogram.max(), absl::Nanoseconds(7'654'321));
  EXPECT_EQ(histogram.Mean(), absl::Nanoseconds(4'444'444));
}

TEST(HistogramTest, QuantilesAreNeverTooLowAndAtMostOnePercentTooHigh) {
  std::mt19937_64 random(7);
  // Six orders of magnitude.
  std::lognormal_distribution<double> distribution(11, 3);
  std::vector<int64_t> values;
  Histogram histogram;
  for (int i = 0; i < 100'000; ++i) {
    values.push_back(std::min<int64_t>(
        static_cast<int64_t>(distribution(random)), int64_t{1} << 39));
    histogram.Record(absl::Nanoseconds(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double quantile : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const auto exact = static_cast<double>(
        values[static_cast<size_t>(quantile * values.size()) - 1]);
    const double told = absl::ToDoubleNanoseconds(histogram.Quantile(quantile));
    EXPECT_GE(told, exact) << quantile;
    EXPECT_LE(told, exact * 1.008 + 1) << quantile;
  }
}

TEST(HistogramTest, EachPowerOfTwoAndItsNeighboursAreWithinOnePercent) {
  for (int bit = 0; bit < Histogram::kRangeBits; ++bit) {
    for (const int64_t around : {-1, 0, 1}) {
      const int64_t ns = std::max<int64_t>((int64_t{1} << bit) + around, 0);
      Histogram histogram;
      histogram.Record(absl::Nanoseconds(ns));
      // Keeps the maximum from hiding where the bucket ends.
      histogram.Record(absl::Hours(1));
      const int64_t told = absl::ToInt64Nanoseconds(histogram.Quantile(0.5));
      EXPECT_GE(told, ns);
      EXPECT_LE(told, ns + ns / 128);
    }
  }
}

TEST(HistogramTest, WhatIsOutOfRangeIsCountedAtItsEnds) {
  Histogram histogram;
  histogram.Record(absl::Seconds(-1));
  histogram.Record(absl::Hours(1000));
  EXPECT_EQ(histogram.count(), 2u);
  EXPECT_EQ(histogram.min(), absl::ZeroDuration());
  EXPECT_EQ(histogram.Quantile(0.5), absl::ZeroDuration());
  EXPECT_EQ(histogram.Quantile(1), absl::Hours(1000));
}

TEST(HistogramTest, MergedOnesTellWhatOneWouldHaveTold) {
  std::mt19937_64 random(11);
  std::exponential_distribution<double> microseconds(0.01);
  Histogram all;
  std::vector<Histogram> some(3);
  for (int i = 0; i < 3000; ++i) {
    const absl::Duration value = absl::Microseconds(microseconds(random));
    all.Record(value);
    some[i % 3].Record(value);
  }
  Histogram merged;
  for (const Histogram& histogram : some) merged.Merge(histogram);
  merged.Merge(Histogram());
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.min(), all.min());
  EXPECT_EQ(merged.max(), all.max());
  for (const double quantile : {0.5, 0.9, 0.99, 0.999, 1.0}) {
    EXPECT_EQ(merged.Quantile(quantile), all.Quantile(quantile));
  }
}

TEST(HistogramTest, PartsMakeTheSameHistogramAgain) {
  Histogram histogram;
  histogram.Record(absl::Microseconds(3));
  histogram.Record(absl::Milliseconds(40));
  const Histogram::Parts parts = histogram.ToParts();
  EXPECT_LT(parts.counts.size(), Histogram::kBuckets);
  const Histogram again(parts);
  EXPECT_EQ(again.count(), 2u);
  EXPECT_EQ(again.min(), histogram.min());
  EXPECT_EQ(again.max(), histogram.max());
  EXPECT_EQ(again.Mean(), histogram.Mean());
  EXPECT_EQ(again.Quantile(0.5), histogram.Quantile(0.5));
}

}  // namespace
}  // namespace warmpool
