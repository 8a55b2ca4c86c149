#include "client/load/client_event.h"

#include <unistd.h>

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

TEST(ClientEventTest, EventsArePutTogetherFromAnyPieces) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  load::ClientEvent event;
  event.mutable_ready();
  ASSERT_TRUE(WriteEvent(ends[1], event));
  event.mutable_progress()->set_leases(17);
  ASSERT_TRUE(WriteEvent(ends[1], event));
  close(ends[1]);

  EventParser parser;
  std::vector<load::ClientEvent> events;
  char byte;
  while (read(ends[0], &byte, 1) == 1) {
    parser.Append({&byte, 1});
    while (const auto next = parser.Next()) events.push_back(*next);
  }
  close(ends[0]);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_TRUE(events[0].has_ready());
  EXPECT_EQ(events[1].progress().leases(), 17u);
}

TEST(ClientEventTest, SeveralEventsMayComeAtOnce) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  load::ClientEvent event;
  event.mutable_ready();
  ASSERT_TRUE(WriteEvent(ends[1], event));
  ASSERT_TRUE(WriteEvent(ends[1], event));
  char bytes[100];
  const ssize_t count = read(ends[0], bytes, sizeof(bytes));
  close(ends[0]);
  close(ends[1]);
  EventParser parser;
  parser.Append({bytes, static_cast<size_t>(count)});
  EXPECT_TRUE(parser.Next().has_value());
  EXPECT_TRUE(parser.Next().has_value());
  EXPECT_FALSE(parser.Next().has_value());
}

}  // namespace
}  // namespace warmpool
