#include "client/load/client_event.h"

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(ClientEventTest, AMeasurementSurvivesThePipe) {
  Measurement measured;
  measured.lease.Record(absl::Microseconds(100));
  measured.lease.Record(absl::Milliseconds(3));
  measured.first_touch.Record(absl::Microseconds(7));
  measured.release.Record(absl::Microseconds(9));
  measured.warm = 1;
  measured.stock = 2;
  measured.fresh = 3;
  measured.elapsed = absl::Seconds(4);
  measured.RecordFailure(Operation::kLease, absl::InternalError("one"));
  measured.RecordFailure(Operation::kLease, absl::InternalError("two"));

  const Measurement read = FromParts(ToParts(measured));
  EXPECT_EQ(read.lease.count(), 2u);
  EXPECT_EQ(read.lease.max(), absl::Milliseconds(3));
  EXPECT_EQ(read.lease.Quantile(0.5), measured.lease.Quantile(0.5));
  EXPECT_EQ(read.first_touch.Mean(), absl::Microseconds(7));
  EXPECT_EQ(read.release.min(), absl::Microseconds(9));
  EXPECT_EQ(read.leases(), 6u);
  EXPECT_EQ(read.fresh, 3u);
  EXPECT_EQ(read.elapsed, absl::Seconds(4));
  ASSERT_EQ(read.failures.size(), 1u);
  const auto& [key, failure] = *read.failures.begin();
  EXPECT_EQ(key,
            std::make_pair(Operation::kLease, absl::StatusCode::kInternal));
  EXPECT_EQ(failure.count, 2u);
  EXPECT_EQ(failure.message, "one");
}

}  // namespace
}  // namespace warmpool
