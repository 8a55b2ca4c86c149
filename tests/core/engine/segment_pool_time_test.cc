// What time makes due: decay, aged batches, probes of quarantined segments.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/segment_pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/engine/segment_pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

class SegmentPoolTimeTest : public SegmentPoolFixture {
 protected:
  SegmentPoolTimeTest() { Make(InlineOptions()); }
};

// One whose maintenance thread is this test: it ticks when it is told that
// something is due earlier, as the daemon's does.
class SegmentPoolDueTest : public SegmentPoolFixture {
 protected:
  SegmentPoolDueTest() {
    SegmentPool::Options options = InlineOptions();
    options.batch.max_age = absl::Seconds(5);
    options.on_due_earlier = [this] {
      ++pokes_;
      next_ = pool_->Tick();
    };
    Make(options);
    next_ = pool_->Tick();
  }

  int pokes_ = 0;
  // When the maintenance thread comes by next.
  absl::Time next_;
};

TEST_F(SegmentPoolTimeTest, AnIdlePoolGivesItsMemoryBackByItself) {
  const absl::Time returned = clock_.Now();
  Return(Acquire(2 * kMiB));
  EXPECT_EQ(TickAfter(absl::Seconds(9)), returned + absl::Seconds(10));
  EXPECT_EQ(pool_->stats().retained_segments, 1u);
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(pool_->stats().retained_segments, 0u);
  EXPECT_EQ(In(ByteState::kBatched), 2 * kMiB);
}

TEST_F(SegmentPoolTimeTest, WhatWaitsInBatchEndsByItsAge) {
  SegmentPool::Options options = InlineOptions();
  options.bigcache.slots = 0;
  options.batch.max_age = absl::Seconds(1);
  Make(options);
  Return(Acquire(64 * kKiB));
  EXPECT_EQ(calls_.live().files, 1u);
  EXPECT_EQ(TickAfter(absl::ZeroDuration()), clock_.Now() + absl::Seconds(1));
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
}

TEST_F(SegmentPoolTimeTest, NothingIsDueInAnEmptyPool) {
  EXPECT_EQ(pool_->Tick(), absl::InfiniteFuture());
}

TEST_F(SegmentPoolTimeTest, WhatSomebodyStillHasIsNotReusedUntilItIsFree) {
  Segment segment = Acquire(64 * kKiB);
  const std::string name = segment.file_name();
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
  EXPECT_EQ(pool_->stats().quarantined_segments, 1u);

  segment = Acquire(64 * kKiB);
  EXPECT_NE(segment.file_name(), name);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  for (int i = 0; i < 100; ++i) TickAfter(absl::Seconds(1));
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB) << "however long it takes";
  EXPECT_EQ(calls_.files().count(name), 1u);

  client.Stop();
  TickAfter(absl::Seconds(1));
  EXPECT_EQ(In(ByteState::kQuarantined), 0u);
  EXPECT_EQ(pool_->stats().retained_segments, 0u)
      << "kept for so long it is ended, not reused";
  Return(std::move(segment));
}

TEST_F(SegmentPoolTimeTest, ADeathThatTakesAMomentCostsNoWarmth) {
  Segment segment = Acquire(64 * kKiB);
  Misbehaving dying = Keep(segment);
  Return(std::move(segment));
  TickAfter(absl::Milliseconds(1));
  EXPECT_EQ(pool_->stats().retained_segments, 0u);
  dying.Stop();
  TickAfter(absl::Milliseconds(2));
  EXPECT_EQ(pool_->stats().retained_segments, 1u);
  Return(Acquire(64 * kKiB));
  EXPECT_EQ(last_warmth_, Warmth::kWarm);
}

TEST_F(SegmentPoolTimeTest, ProbesOfWhatIsKeptGrowRare) {
  Segment segment = Acquire(64 * kKiB);
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  const uint64_t before = calls_.Count(Call::kFcntl);
  for (int i = 0; i < 60'000; i += 10) TickAfter(absl::Milliseconds(10));
  EXPECT_LE(calls_.Count(Call::kFcntl) - before, 70u) << "in a minute";
}

TEST_F(SegmentPoolTimeTest, WhatAnEarlierDaemonLeftIsEndedOnceNobodyHasIt) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB);
  Misbehaving client = Keep(segment);
  pool_->Adopt(std::move(segment));
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
  TickAfter(absl::Milliseconds(1));
  EXPECT_EQ(calls_.live().files, 1u);
  client.Stop();
  TickAfter(absl::Seconds(1));
  pool_->Drain();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
  EXPECT_EQ(pool_->stats().bigcache.retained, 0u);
}

TEST_F(SegmentPoolTimeTest, WhatAnEarlierDaemonLeftDoesNotShrinkARing) {
  // Its end is not the end of a segment that this pool gave out.
  SegmentPool::Options options = InlineOptions();
  options.bigcache.slots = std::nullopt;
  Make(options);
  std::vector<Segment> segments;
  for (int i = 0; i < 4; ++i) {
    pool_->Adopt(MakeOrDie(*directory_, 64 * kKiB));
    segments.push_back(Acquire(64 * kKiB));
  }
  TickAfter(absl::Milliseconds(1));
  ASSERT_EQ(In(ByteState::kQuarantined), 0u);
  for (int i = 0; i < 5; ++i) segments.push_back(Acquire(64 * kKiB));
  for (Segment& segment : segments) Return(std::move(segment));
  EXPECT_EQ(pool_->stats().retained_segments, 9u);
}

TEST_F(SegmentPoolTimeTest, DrainingAsksOnceMoreForWhatIsQuarantined) {
  Segment segment = Acquire(64 * kKiB);
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  client.Stop();
  pool_->Drain();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(SegmentPoolTimeTest, QuarantineCanBeEndedThoughSomebodyHasIt) {
  Segment segment = Acquire(64 * kKiB);
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  pool_->FreeQuarantined();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
}

TEST_F(SegmentPoolTimeTest, WhatIsBeingProbedEndsWithTheQuarantine) {
  // Otherwise a shutdown that revokes everything leaves a file if the
  // maintenance thread is in the midst of a probe.
  Segment segment = Acquire(64 * kKiB);
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  calls_.BeforeNext(Call::kFcntl, [&] { pool_->FreeQuarantined(); });
  TickAfter(absl::Milliseconds(1));
  pool_->FlushBatch();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
}

TEST_F(SegmentPoolTimeTest, WhatIsBeingReturnedEndsWithTheQuarantine) {
  Segment segment = Acquire(64 * kKiB);
  Misbehaving client = Keep(segment);
  calls_.BeforeNext(Call::kFcntl, [&] { pool_->FreeQuarantined(); });
  Return(std::move(segment));
  pool_->FlushBatch();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
}

TEST_F(SegmentPoolTimeTest, ASegmentRetainedDuringAProbeDecaysInItsTurn) {
  // The probe began earlier and retains later: age is counted from when a
  // segment is retained, or one would hide the other's decay.
  Segment quarantined = Acquire(64 * kKiB);
  Segment returned = Acquire(64 * kKiB);
  Misbehaving client = Keep(quarantined);
  Return(std::move(quarantined));
  client.Stop();
  calls_.BeforeNext(Call::kFcntl, [&] {
    clock_.Advance(absl::Milliseconds(50));
    pool_->Return(std::move(returned));
  });
  TickAfter(absl::Milliseconds(1));
  EXPECT_EQ(pool_->stats().retained_segments, 2u);
  TickAfter(absl::Seconds(10));
  EXPECT_EQ(pool_->stats().retained_segments, 0u);
}

TEST_F(SegmentPoolDueTest, TellsWhenSomethingFallsDueEarlier) {
  EXPECT_EQ(next_, absl::InfiniteFuture());
  Return(Acquire(64 * kKiB));
  EXPECT_EQ(next_, clock_.Now() + absl::Seconds(10));
  clock_.Advance(absl::Seconds(1));
  Return(Acquire(64 * kKiB, /*owner=*/1001));
  EXPECT_EQ(pokes_, 1) << "what decays later needs no earlier tick";

  Segment segment = Acquire(64 * kKiB);
  Tamper(segment);
  Return(std::move(segment));
  EXPECT_EQ(next_, clock_.Now() + absl::Seconds(5)) << "the batch's age";
}

TEST_F(SegmentPoolDueTest, TellsOfAQuarantinedSegment) {
  Segment segment = Acquire(64 * kKiB);
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  EXPECT_EQ(next_, clock_.Now() + Quarantine::kFirstPause);
}

TEST_F(SegmentPoolDueTest, TellsOfAnAdoptedSegment) {
  pool_->Adopt(MakeOrDie(*directory_, 64 * kKiB));
  EXPECT_EQ(next_, clock_.Now() + Quarantine::kFirstPause);
}

TEST_F(SegmentPoolDueTest, TellsOfAnEndedSegment) {
  pool_->Free(Acquire(64 * kKiB));
  EXPECT_EQ(next_, clock_.Now() + absl::Seconds(5));
}

}  // namespace
}  // namespace warmpool
