#include "client/load/measurement.h"

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(MeasurementTest, MergingAddsCountsAndKeepsTheLongestTime) {
  Measurement sum;
  sum.warm = 1;
  sum.elapsed = absl::Seconds(2);
  sum.lease.Record(absl::Microseconds(1));
  Measurement other;
  other.warm = 2;
  other.fresh = 4;
  other.elapsed = absl::Seconds(1);
  other.lease.Record(absl::Microseconds(1));
  other.RecordFailure(Operation::kRelease, absl::InternalError("first"));
  sum.Merge(other);
  sum.Merge(other);
  EXPECT_EQ(sum.leases(), 13u);
  EXPECT_EQ(sum.elapsed, absl::Seconds(2));
  EXPECT_EQ(sum.lease.count(), 3u);
  ASSERT_EQ(sum.failures.size(), 1u);
  EXPECT_EQ(sum.failures.begin()->second.count, 2u);
  EXPECT_EQ(sum.failures.begin()->second.message, "first");
}

TEST(MeasurementTest, AFullMachineIsAnAnswerAndNoFault) {
  Measurement measured;
  EXPECT_TRUE(measured.AllWell());
  measured.RecordFailure(Operation::kLease,
                         absl::ResourceExhaustedError("full"));
  EXPECT_TRUE(measured.AllWell());
  measured.RecordFailure(Operation::kLease, absl::UnavailableError("gone"));
  EXPECT_FALSE(measured.AllWell());
}

}  // namespace
}  // namespace warmpool
