#include "core/base/latency_histogram.h"

#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

// The bucket that a duration is counted in.
size_t BucketOf(int64_t ns) {
  LatencyHistogram histogram;
  histogram.RecordNs(ns);
  const LatencyHistogram::Snapshot snapshot = histogram.Take();
  for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
    if (snapshot.counts[i] == 1) return i;
  }
  return LatencyHistogram::kBuckets;
}

TEST(LatencyHistogramTest, BoundsGrowByAQuarterOfADoubling) {
  EXPECT_EQ(LatencyHistogram::UpperBoundNs(0), 1024u);
  EXPECT_EQ(LatencyHistogram::UpperBoundNs(1), 1280u);
  EXPECT_EQ(LatencyHistogram::UpperBoundNs(4), 2048u);
  const size_t last = LatencyHistogram::kBuckets - 1;
  EXPECT_EQ(LatencyHistogram::UpperBoundNs(last - 1), uint64_t{1} << 34);
  EXPECT_EQ(LatencyHistogram::UpperBoundNs(last), UINT64_MAX);
  for (size_t i = 1; i + 1 < last; ++i) {
    const uint64_t bound = LatencyHistogram::UpperBoundNs(i);
    const uint64_t next = LatencyHistogram::UpperBoundNs(i + 1);
    EXPECT_GT(next, bound);
    EXPECT_LE(next - bound, bound / 4);
  }
}

TEST(LatencyHistogramTest, ABucketIncludesItsUpperBoundAndNotThatBefore) {
  for (size_t i = 0; i + 1 < LatencyHistogram::kBuckets; ++i) {
    const auto bound = static_cast<int64_t>(LatencyHistogram::UpperBoundNs(i));
    EXPECT_EQ(BucketOf(bound), i);
    EXPECT_EQ(BucketOf(bound + 1), i + 1);
  }
}

TEST(LatencyHistogramTest, EveryDurationHasABucket) {
  EXPECT_EQ(BucketOf(-5), 0u);
  EXPECT_EQ(BucketOf(0), 0u);
  EXPECT_EQ(BucketOf(INT64_MAX), LatencyHistogram::kBuckets - 1);
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    const auto ns = static_cast<int64_t>(random() >> (1 + random() % 63));
    const size_t bucket = BucketOf(ns);
    ASSERT_LT(bucket, LatencyHistogram::kBuckets);
    ASSERT_LE(static_cast<uint64_t>(ns),
              LatencyHistogram::UpperBoundNs(bucket));
    if (bucket > 0) {
      ASSERT_GT(static_cast<uint64_t>(ns),
                LatencyHistogram::UpperBoundNs(bucket - 1));
    }
  }
}

TEST(LatencyHistogramTest, CountsWhatAllThreadsRecord) {
  LatencyHistogram histogram;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&histogram] {
      for (int j = 0; j < 10000; ++j) {
        histogram.Record(absl::Microseconds(j % 100));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const LatencyHistogram::Snapshot snapshot = histogram.Take();
  EXPECT_EQ(snapshot.count(), 40000u);
  EXPECT_EQ(snapshot.sum_ns, 4u * 100 * 4950 * 1000);
}

}  // namespace
}  // namespace warmpool
