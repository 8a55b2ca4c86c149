#include "core/memory/pages/aligned_map.h"

#include <errno.h>
#include <sys/mman.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "core/engine/unmap_batch.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/faulty_system_calls.h"

namespace warmpool {
namespace {

class AlignedMapTest : public testing::Test {
 protected:
  absl::Status Map(size_t bytes, Segment* segment) {
    *segment = Segment(SizeClasses().For(bytes).value(), bytes, 0);
    return AlignedMap(calls_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, segment);
  }

  void End(Segment segment) {
    UnmapBatch batch(&calls_, {UnmapBatch::Drain::kInline});
    batch.Add(std::move(segment), absl::UnixEpoch());
  }

  FaultySystemCalls calls_;
};

TEST_F(AlignedMapTest, AlignsFromOneHugePageUp) {
  // Many at once: a kernel may align one by chance.
  std::vector<Segment> segments;
  for (int i = 0; i < 20; ++i) {
    const size_t bytes = kHugePageSize + i % 3 * kPageSize * 128;
    Segment segment;
    ASSERT_THAT(Map(bytes, &segment), IsOk());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(segment.data()) % kHugePageSize, 0u);
    segment.data()[0] = std::byte{1};
    segment.data()[bytes - 1] = std::byte{1};
    segments.push_back(std::move(segment));
  }
  for (Segment& segment : segments) End(std::move(segment));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(AlignedMapTest, TheMappingLiesWithinItsReservation) {
  Segment segment;
  ASSERT_THAT(Map(3 * kMiB, &segment), IsOk());
  const auto* const reservation =
      static_cast<std::byte*>(segment.parts().reservation);
  EXPECT_GE(segment.data(), reservation);
  EXPECT_LE(segment.data() + segment.bytes(),
            reservation + segment.parts().reservation_bytes);
  End(std::move(segment));
}

TEST_F(AlignedMapTest, SmallOnesTakeOneCallAndNoSlack) {
  Segment segment;
  ASSERT_THAT(Map(64 * kKiB, &segment), IsOk());
  EXPECT_EQ(segment.parts().reservation_bytes, 64 * kKiB);
  EXPECT_EQ(calls_.Count(SystemCalls::Call::kMmap), 1u);
  End(std::move(segment));
}

TEST_F(AlignedMapTest, AFailedReservationLeavesNothing) {
  calls_.FailNext(SystemCalls::Call::kMmap, ENOMEM);
  Segment segment;
  EXPECT_THAT(Map(2 * kMiB, &segment),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(segment.empty());
}

TEST_F(AlignedMapTest, AFailureAfterTheReservationLeavesItToBeEnded) {
  calls_.FailNth(SystemCalls::Call::kMmap, 2, EACCES);
  Segment segment;
  EXPECT_THAT(Map(2 * kMiB, &segment),
              StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_FALSE(segment.empty());
  EXPECT_EQ(segment.data(), nullptr);
  End(std::move(segment));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

}  // namespace
}  // namespace warmpool
