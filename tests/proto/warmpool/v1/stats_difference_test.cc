#include "proto/warmpool/v1/stats_difference.h"

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(StatsDifferenceTest, CountsAreSubtractedAndStatesAreNot) {
  v1::GetStatsResponse before;
  before.mutable_bytes()->set_leased_bytes(7);
  before.mutable_leases()->set_live_leases(5);
  before.mutable_leases()->set_granted_warm(10);
  before.mutable_bigcache()->set_hits(10);
  before.mutable_bigcache()->set_retained_segments(4);
  before.mutable_batch()->set_crossings(3);
  before.mutable_batch()->set_largest_flush_blocks(2);
  before.mutable_batch()->set_blocks_waiting(1);
  v1::GetStatsResponse after;
  after.mutable_bytes()->set_leased_bytes(6);
  after.mutable_leases()->set_live_leases(3);
  after.mutable_leases()->set_granted_warm(15);
  after.mutable_leases()->set_refused_exhausted(1);
  after.mutable_bigcache()->set_hits(15);
  after.mutable_bigcache()->set_retained_segments(4);
  after.mutable_batch()->set_crossings(51);
  after.mutable_batch()->set_largest_flush_blocks(2);
  after.mutable_batch()->set_blocks_waiting(0);

  const v1::GetStatsResponse difference = StatsDifference(before, after);
  EXPECT_EQ(difference.bytes().leased_bytes(), 6u);
  EXPECT_EQ(difference.leases().live_leases(), 3u);
  EXPECT_EQ(difference.leases().granted_warm(), 5u);
  EXPECT_EQ(difference.leases().refused_exhausted(), 1u);
  EXPECT_EQ(difference.bigcache().hits(), 5u);
  EXPECT_EQ(difference.bigcache().retained_segments(), 4u);
  EXPECT_EQ(difference.batch().crossings(), 48u);
  EXPECT_EQ(difference.batch().largest_flush_blocks(), 2u);
  EXPECT_EQ(difference.batch().blocks_waiting(), 0u);
}

TEST(StatsDifferenceTest, SystemCallsAreSubtractedByName) {
  v1::GetStatsResponse before;
  v1::SystemCallCount* call = before.add_system_calls();
  call->set_name("munmap");
  call->set_count(3);
  v1::GetStatsResponse after;
  call = after.add_system_calls();
  call->set_name("openat");
  call->set_count(2);
  call = after.add_system_calls();
  call->set_name("munmap");
  call->set_count(10);

  const v1::GetStatsResponse difference = StatsDifference(before, after);
  ASSERT_EQ(difference.system_calls_size(), 2);
  EXPECT_EQ(difference.system_calls(0).count(), 2u);
  EXPECT_EQ(difference.system_calls(1).count(), 7u);
}

v1::LatencyHistogram Histogram(uint64_t fast, uint64_t slow) {
  v1::LatencyHistogram histogram;
  histogram.set_count(fast + slow);
  const auto add = [&histogram](uint64_t bound, uint64_t count) {
    if (count == 0) return;
    v1::LatencyHistogram::Bucket* const bucket = histogram.add_buckets();
    bucket->set_upper_bound_ns(bound);
    bucket->set_count(count);
  };
  add(10'000, fast);
  add(1'000'000, slow);
  SetQuantiles(&histogram);
  return histogram;
}

TEST(StatsDifferenceTest, HistogramsAreSubtractedByBucket) {
  v1::GetStatsResponse before;
  v1::RpcStats* rpc = before.add_rpcs();
  rpc->set_method("Lease");
  *rpc->mutable_latency() = Histogram(1000, 0);
  v1::GetStatsResponse after;
  after.add_rpcs()->set_method("Attach");
  rpc = after.add_rpcs();
  rpc->set_method("Lease");
  *rpc->mutable_latency() = Histogram(1010, 90);
  EXPECT_LT(rpc->latency().p50_ns(), 10'000u);

  const v1::LatencyHistogram latency =
      StatsDifference(before, after).rpcs(1).latency();
  EXPECT_EQ(latency.count(), 100u);
  ASSERT_EQ(latency.buckets_size(), 2);
  EXPECT_EQ(latency.buckets(0).count(), 10u);
  EXPECT_EQ(latency.buckets(1).count(), 90u);
  EXPECT_GT(latency.p50_ns(), 100'000u) << "of those that came since";
}

TEST(StatsDifferenceTest, SizeClassesKeepTheirBytesAndSubtractTheirCounts) {
  v1::GetStatsResponse before;
  v1::SizeClassStats* one = before.add_size_classes();
  one->set_segment_bytes(8192);
  one->set_leased_bytes(8192);
  one->mutable_bigcache()->set_hits(3);
  v1::GetStatsResponse after;
  after.add_size_classes()->set_segment_bytes(4096);
  one = after.add_size_classes();
  one->set_segment_bytes(8192);
  one->set_leased_bytes(16384);
  one->mutable_bigcache()->set_hits(10);
  const v1::GetStatsResponse difference = StatsDifference(before, after);
  EXPECT_EQ(difference.size_classes(1).segment_bytes(), 8192u);
  EXPECT_EQ(difference.size_classes(1).leased_bytes(), 16384u);
  EXPECT_EQ(difference.size_classes(1).bigcache().hits(), 7u);
}

TEST(QuantileTest, LiesWithinItsBucket) {
  v1::LatencyHistogram histogram = Histogram(99, 1);
  EXPECT_GE(QuantileNs(histogram, 0.5), 8'000u);
  EXPECT_LE(QuantileNs(histogram, 0.5), 10'000u);
  EXPECT_GE(QuantileNs(histogram, 0.999), 800'000u);
  EXPECT_LE(QuantileNs(histogram, 1), 1'000'000u);
  EXPECT_EQ(QuantileNs(v1::LatencyHistogram(), 0.5), 0u);
}

}  // namespace
}  // namespace warmpool
