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

}  // namespace
}  // namespace warmpool
