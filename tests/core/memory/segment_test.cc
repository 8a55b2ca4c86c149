#include "core/memory/segment.h"

#include <utility>

#include "core/engine/unmap_batch.h"
#include "gtest/gtest.h"
#include "tests/core/memory/faulty_system_calls.h"

namespace warmpool {
namespace {

// A segment of parts that no system call has made: to be ended by End below.
Segment SegmentNamed(const std::string& name) {
  Segment segment(SizeClass{3}, 64 * kKiB, 1000);
  segment.parts().file_name = name;
  return segment;
}

// Gives a segment to the only one that may end it.
void End(Segment segment) {
  FaultySystemCalls calls;
  UnmapBatch batch(&calls, {});
  batch.Detach(std::move(segment));
}

TEST(SegmentDeathTest, DroppingASegmentAbortsNamingIt) {
  EXPECT_DEATH({ const Segment dropped = SegmentNamed("left.seg"); },
               "65536 bytes \\(left.seg\\) was dropped");
}

TEST(SegmentDeathTest, OverwritingASegmentAborts) {
  EXPECT_DEATH(
      {
        Segment segment = SegmentNamed("first.seg");
        segment = SegmentNamed("second.seg");
      },
      "first.seg\\) was dropped");
}

TEST(SegmentDeathTest, EachPartAloneIsALeak) {
  EXPECT_DEATH(
      {
        Segment segment;
        segment.parts().fd = 0;
      },
      "was dropped");
  EXPECT_DEATH(
      {
        Segment segment;
        segment.parts().reservation = &segment;
      },
      "was dropped");
}

TEST(SegmentTest, AnEmptyHandleMayBeDropped) {
  Segment segment(SizeClass{3}, 64 * kKiB, 1000);
  EXPECT_TRUE(segment.empty());
}

TEST(SegmentTest, MovingLeavesAnEmptyHandleAndTakesEverything) {
  Segment from = SegmentNamed("a.seg");
  from.set_page_bytes(kHugePageSize);
  from.set_zeroed(true);
  from.set_tag(77);
  std::byte first{};
  from.set_data(&first);

  Segment to = std::move(from);
  EXPECT_TRUE(from.empty());
  EXPECT_EQ(from.data(), nullptr);
  EXPECT_FALSE(to.empty());
  EXPECT_EQ(to.size_class(), SizeClass{3});
  EXPECT_EQ(to.bytes(), 64 * kKiB);
  EXPECT_EQ(to.owner(), 1000u);
  EXPECT_EQ(to.data(), &first);
  EXPECT_EQ(to.page_bytes(), kHugePageSize);
  EXPECT_TRUE(to.zeroed());
  EXPECT_EQ(to.tag(), 77u);
  EXPECT_EQ(to.file_name(), "a.seg");

  Segment assigned;
  assigned = std::move(to);
  EXPECT_TRUE(to.empty());
  EXPECT_EQ(assigned.tag(), 77u);
  EXPECT_EQ(assigned.file_name(), "a.seg");
  End(std::move(assigned));
}

TEST(SegmentTest, MovingOntoItselfChangesNothing) {
  Segment segment = SegmentNamed("a.seg");
  Segment& same = segment;
  segment = std::move(same);
  EXPECT_EQ(segment.file_name(), "a.seg");
  End(std::move(segment));
}

}  // namespace
}  // namespace warmpool
