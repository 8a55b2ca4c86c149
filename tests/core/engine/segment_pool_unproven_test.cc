// Segments whose proof is put off until they are leased again, or for a moment.
#include <sys/stat.h>
#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "core/engine/segment_pool.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/engine/segment_pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

constexpr absl::Duration kWithin = absl::Milliseconds(20);
constexpr uint64_t kBytes = 64 * kKiB;

class SegmentPoolUnprovenTest : public SegmentPoolFixture {
 protected:
  SegmentPoolUnprovenTest() { Make(Options()); }

  static SegmentPool::Options Options() {
    SegmentPool::Options options = InlineOptions();
    options.prove_within = kWithin;
    options.bigcache.slots = 4;
    return options;
  }

  void Release(Segment segment) {
    pool_->ReturnReleased(std::move(segment));
    pool_->CheckInvariants();
  }

  // Each takes a lease of the kernel's and gives it back. The directory tried
  // it out when it was opened.
  uint64_t Proofs() const {
    return (calls_.Count(Call::kFcntl) - calls_at_first_) / 2;
  }

  const uint64_t calls_at_first_ = calls_.Count(Call::kFcntl);
};

TEST_F(SegmentPoolUnprovenTest, IsProvenOnceFromOneLeaseToTheNext) {
  Release(Acquire(kBytes));
  const uint64_t proofs = Proofs();
  const uint64_t hits = pool_->stats().bigcache.hits;
  for (int i = 0; i < 10; ++i) {
    Segment segment = Acquire(kBytes);
    EXPECT_EQ(last_warmth_, Warmth::kWarm);
    Release(std::move(segment));
  }
  EXPECT_EQ(Proofs(), proofs + 10);
  EXPECT_EQ(pool_->stats().bigcache.hits, hits + 10);
  // The last one waits.
  EXPECT_EQ(pool_->stats().bigcache.retained, 10u);
  ExpectEveryByteAccountedFor();
}

TEST_F(SegmentPoolUnprovenTest, IsProvenAMomentLaterIfNobodyLeasesIt) {
  Release(Acquire(kBytes));
  EXPECT_EQ(In(ByteState::kRetained), kBytes);
  EXPECT_EQ(Proofs(), 0u);
  EXPECT_EQ(pool_->Tick(), clock_.Now() + kWithin);
  EXPECT_EQ(Proofs(), 0u);
  TickAfter(kWithin);
  EXPECT_EQ(Proofs(), 1u);
  EXPECT_EQ(In(ByteState::kRetained), kBytes);
  EXPECT_EQ(pool_->stats().retained_segments, 1u);
}

TEST_F(SegmentPoolUnprovenTest, WhatWasSealedCanBeWrittenByItsNextHolder) {
  Segment segment = Acquire(kBytes);
  ASSERT_TRUE(directory_->Seal(&segment).ok());
  Release(std::move(segment));
  segment = Acquire(kBytes);
  EXPECT_EQ(last_warmth_, Warmth::kWarm);
  EXPECT_FALSE(segment.sealed());
  struct stat file {};
  ASSERT_EQ(stat(directory_->PathOf(segment).c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u) << "whoever is not root opens by it";
  Release(std::move(segment));
}

TEST_F(SegmentPoolUnprovenTest, WhatWasNotReleasedIsProvenAtOnce) {
  Segment segment = Acquire(kBytes);
  Misbehaving user = Keep(segment);
  Return(std::move(segment));
  EXPECT_EQ(In(ByteState::kQuarantined), kBytes);
}

TEST_F(SegmentPoolUnprovenTest, ARingKeepsNoMoreThanItsSlots) {
  std::vector<Segment> segments;
  for (int i = 0; i < 9; ++i) segments.push_back(Acquire(kBytes));
  for (Segment& segment : segments) {
    Release(std::move(segment));
    EXPECT_LE(pool_->stats().retained_segments, 4u);
  }
  EXPECT_EQ(pool_->stats().retained_segments, 4u);
}

TEST_F(SegmentPoolUnprovenTest, NobodyGetsWhatSomebodyStillHas) {
  Segment segment = Acquire(kBytes);
  const std::string path = directory_->PathOf(segment);
  Misbehaving user = Keep(segment);
  Release(std::move(segment));
  EXPECT_EQ(In(ByteState::kQuarantined), 0u);
  Segment next = Acquire(kBytes);
  EXPECT_NE(directory_->PathOf(next), path);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  EXPECT_EQ(In(ByteState::kQuarantined), kBytes);
  Release(std::move(next));
}

TEST_F(SegmentPoolUnprovenTest, WhatSomebodyStillHasIsQuarantinedAMomentLater) {
  Segment segment = Acquire(kBytes);
  Misbehaving user = Keep(segment);
  Release(std::move(segment));
  TickAfter(kWithin);
  EXPECT_EQ(In(ByteState::kQuarantined), kBytes);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
}

TEST_F(SegmentPoolUnprovenTest, ATruncatedOneIsEnded) {
  Segment segment = Acquire(kBytes);
  Tamper(segment);
  Release(std::move(segment));
  Release(Acquire(kBytes));
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  pool_->FlushBatch();
  EXPECT_EQ(calls_.live().files, 1u);
}

TEST_F(SegmentPoolUnprovenTest, AnotherUidGetsNone) {
  Release(Acquire(kBytes, 1000));
  Release(Acquire(kBytes, 1001));
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
}

TEST_F(SegmentPoolUnprovenTest, ARequestForWhatIsReadyFindsIt) {
  Release(Acquire(kBytes));
  auto acquired =
      pool_->Acquire({.owner = 1000, .bytes = kBytes, .if_ready = true});
  ASSERT_THAT(acquired, IsOk());
  Release(std::move(acquired->segment));
}

TEST_F(SegmentPoolUnprovenTest, IsEvictedWhereALeaseNeedsRoom) {
  SegmentPool::Options options = Options();
  options.capacity_bytes = 4 * kBytes;
  Make(options);
  std::vector<Segment> segments;
  for (int i = 0; i < 4; ++i) segments.push_back(Acquire(kBytes));
  for (Segment& segment : segments) Release(std::move(segment));
  Release(Acquire(4 * kBytes));
  ExpectEveryByteAccountedFor();
}

TEST_F(SegmentPoolUnprovenTest, KeepsNoMoreThanWhatMayBeRetained) {
  SegmentPool::Options options = Options();
  options.bigcache.max_bytes = 2 * kBytes;
  Make(options);
  std::vector<Segment> segments;
  for (int i = 0; i < 5; ++i) segments.push_back(Acquire(kBytes));
  for (Segment& segment : segments) {
    Release(std::move(segment));
    EXPECT_LE(In(ByteState::kRetained), 2 * kBytes);
  }
}

TEST_F(SegmentPoolUnprovenTest, ManyThatComeBackAtOnceAreProvenAsTheyCome) {
  SegmentPool::Options options = Options();
  options.bigcache.slots = 2 * Unproven::kMaxSegments;
  Make(options);
  std::vector<Segment> segments;
  for (size_t i = 0; i < 2 * Unproven::kMaxSegments; ++i) {
    segments.push_back(Acquire(kBytes));
  }
  for (Segment& segment : segments) Release(std::move(segment));
  EXPECT_EQ(Proofs(), Unproven::kMaxSegments);
}

TEST_F(SegmentPoolUnprovenTest, WithoutSlotsNothingIsRetained) {
  SegmentPool::Options options = Options();
  options.bigcache.slots = 0;
  Make(options);
  Release(Acquire(kBytes));
  EXPECT_EQ(In(ByteState::kRetained), 0u);
}

TEST_F(SegmentPoolUnprovenTest, DrainingEndsIt) {
  Release(Acquire(kBytes));
  pool_->Drain();
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  EXPECT_EQ(calls_.live().files, 0u);
}

}  // namespace
}  // namespace warmpool
