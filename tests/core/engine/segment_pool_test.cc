// Reuse, capacity and refusals.
#include "core/engine/segment_pool.h"

#include <errno.h>

#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "tests/core/engine/segment_pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::AllOf;
using ::testing::HasSubstr;

class SegmentPoolTest : public SegmentPoolFixture {
 protected:
  SegmentPoolTest() { Make(InlineOptions()); }

  void MakeWithCapacity(uint64_t bytes) {
    SegmentPool::Options options = InlineOptions();
    options.capacity_bytes = bytes;
    Make(options);
  }

  uint64_t EvictedForRoom() const {
    return pool_->stats()
        .bigcache.evictions[static_cast<size_t>(EvictionReason::kForRoom)];
  }
};

TEST_F(SegmentPoolTest, WhatWasReturnedIsWarmForTheNext) {
  Segment segment = Acquire(2 * kMiB);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  EXPECT_TRUE(segment.zeroed());
  const std::string name = segment.file_name();
  Return(std::move(segment));
  EXPECT_EQ(In(ByteState::kRetained), 2 * kMiB);

  // Any size of the class will do.
  segment = Acquire(2 * kMiB - 5);
  EXPECT_EQ(last_warmth_, Warmth::kWarm);
  EXPECT_EQ(segment.file_name(), name);
  EXPECT_FALSE(segment.zeroed());
  EXPECT_EQ(In(ByteState::kLeased), 2 * kMiB);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  Return(std::move(segment));
}

TEST_F(SegmentPoolTest, WhoAwaitsMemoryIsWokenWhenSomeHasComeBack) {
  Segment segment = Acquire(2 * kMiB);
  const uint64_t seen = pool_->returns();
  EXPECT_EQ(pool_->AwaitReturn(seen, clock_.Now()), seen);
  std::thread waiter([&] {
    EXPECT_EQ(pool_->AwaitReturn(seen, absl::InfiniteFuture()), seen + 1);
  });
  Return(std::move(segment));
  waiter.join();
  segment = Acquire(2 * kMiB);
  Misbehaving client(directory_->PathOf(segment));
  Return(std::move(segment));
  EXPECT_EQ(pool_->returns(), seen + 1) << "nobody can have it yet";
}

TEST_F(SegmentPoolTest, AnotherUidGetsFreshPages) {
  Return(Acquire(2 * kMiB, /*owner=*/1000));
  Segment segment = Acquire(2 * kMiB, /*owner=*/1001);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  EXPECT_EQ(segment.owner(), 1001u);
  Return(std::move(segment));
}

TEST_F(SegmentPoolTest, WhoNeedsZeroesGetsNoOldBytes) {
  Return(Acquire(2 * kMiB));
  auto acquired = pool_->Acquire(
      {.owner = 1000, .bytes = 2 * kMiB, .require_zeroed = true});
  ASSERT_THAT(acquired, IsOk());
  EXPECT_EQ(acquired->warmth, Warmth::kFresh);
  EXPECT_TRUE(acquired->segment.zeroed());
  EXPECT_EQ(pool_->stats().acquired.misses_zeroed, 1u);
  EXPECT_EQ(pool_->stats().retained_segments, 1u) << "the warm one stays";
  Return(std::move(acquired->segment));
}

TEST_F(SegmentPoolTest, WhatSomebodyOpenedAgainIsSetAsideAtItsReuse) {
  Segment first = Acquire(2 * kMiB);
  Segment second = Acquire(2 * kMiB);
  const std::string kept = directory_->PathOf(second);
  const std::string good = first.file_name();
  Return(std::move(first));
  Return(std::move(second));
  Misbehaving client(kept);

  Segment segment = Acquire(2 * kMiB);
  EXPECT_EQ(last_warmth_, Warmth::kWarm);
  EXPECT_EQ(segment.file_name(), good);
  EXPECT_EQ(pool_->stats().acquired.failed_proofs, 1u);
  EXPECT_EQ(In(ByteState::kQuarantined), 2 * kMiB);
  Return(std::move(segment));
}

TEST_F(SegmentPoolTest, WhatItsClientTamperedWithIsEnded) {
  Segment segment = Acquire(2 * kMiB);
  Tamper(segment);
  Return(std::move(segment));
  EXPECT_EQ(pool_->stats().retained_segments, 0u);
  EXPECT_EQ(pool_->stats().batch.blocks_added, 1u);

  segment = Acquire(2 * kMiB);
  const std::string path = directory_->PathOf(segment);
  Return(std::move(segment));
  ASSERT_EQ(truncate(path.c_str(), 4096), 0) << "while it is retained";
  segment = Acquire(2 * kMiB);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  EXPECT_EQ(pool_->stats().acquired.failed_proofs, 1u);
  Return(std::move(segment));
}

TEST_F(SegmentPoolTest, TheCapacityIsUsedToTheLastByteAndNotBeyond) {
  MakeWithCapacity(2 * kMiB);
  Segment first = Acquire(kMiB);
  Segment second = Acquire(kMiB);
  EXPECT_EQ(pool_->stats().ledger.free(), 0u);
  EXPECT_THAT(TryAcquire(1),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("4096 bytes"), HasSubstr("0 bytes free"),
                             HasSubstr("capacity of 2 MiB"),
                             HasSubstr("2 MiB leased"))));
  EXPECT_EQ(calls_.live().files, 2u);
  Return(std::move(first));
  Return(std::move(second));
}

TEST_F(SegmentPoolTest, TheDirectorysOwnFilesCountTowardsTheCapacity) {
  SegmentPool::Options options = InlineOptions();
  options.capacity_bytes = 2 * kMiB;
  options.overhead_bytes = directory_->overhead_bytes();
  Make(options);
  EXPECT_GT(In(ByteState::kOverhead), 0u);
  EXPECT_THAT(TryAcquire(2 * kMiB),
              StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_F(SegmentPoolTest, WhatIsRetainedMakesRoomTheColdestFirst) {
  MakeWithCapacity(4 * kMiB);
  Segment cold = Acquire(kMiB);
  Segment warm = Acquire(kMiB);
  const std::string warm_name = warm.file_name();
  Return(std::move(cold));
  Return(std::move(warm));

  Segment segment = Acquire(3 * kMiB);
  EXPECT_EQ(EvictedForRoom(), 1u) << "no more than needed";
  EXPECT_EQ(calls_.files().count(warm_name), 1u);
  EXPECT_EQ(In(ByteState::kBatched), 0u) << "it ended before the answer";
  Return(std::move(segment));
}

TEST_F(SegmentPoolTest, WhatWaitsInBatchMakesRoomBeforeAnythingIsEvicted) {
  SegmentPool::Options options = InlineOptions();
  options.capacity_bytes = 4 * kMiB;
  options.bigcache.slots = 1;
  Make(options);
  Segment first = Acquire(kMiB);
  Segment second = Acquire(kMiB);
  Return(std::move(first));
  Return(std::move(second));
  ASSERT_EQ(In(ByteState::kBatched), kMiB);
  ASSERT_EQ(In(ByteState::kRetained), kMiB);

  Segment segment = Acquire(3 * kMiB);
  EXPECT_EQ(EvictedForRoom(), 0u);
  EXPECT_EQ(In(ByteState::kRetained), kMiB);
  Return(std::move(segment));
}

TEST_F(SegmentPoolTest, WhatIsQuarantinedMakesNoRoom) {
  MakeWithCapacity(2 * kMiB);
  Segment segment = Acquire(2 * kMiB);
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  EXPECT_THAT(TryAcquire(kMiB), StatusIs(absl::StatusCode::kResourceExhausted,
                                         HasSubstr("2 MiB quarantined")));
}

TEST_F(SegmentPoolTest, ARefusalEvictsNothingWhereItCannotHelp) {
  MakeWithCapacity(4 * kMiB);
  Segment leased = Acquire(2 * kMiB);
  Return(Acquire(kMiB));
  EXPECT_THAT(TryAcquire(3 * kMiB),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(pool_->stats().retained_segments, 1u);
  Return(std::move(leased));
}

TEST_F(SegmentPoolTest, ABadSizeIsToldAndCostsNothing) {
  for (const uint64_t bytes : {uint64_t{0}, kGiB + 1, UINT64_MAX}) {
    EXPECT_THAT(TryAcquire(bytes),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
  EXPECT_EQ(calls_.Count(Call::kOpen), 0u);
}

TEST_F(SegmentPoolTest, AFullFilesystemFirstTakesAsMuchAsItNeeds) {
  Segment a = Acquire(2 * kMiB), b = Acquire(2 * kMiB);
  Return(std::move(a));
  Return(std::move(b));
  calls_.FailNext(Call::kFallocate, ENOSPC);
  Segment segment = Acquire(kMiB);
  EXPECT_EQ(EvictedForRoom(), 1u);
  Return(std::move(segment));
}

TEST_F(SegmentPoolTest, AFullFilesystemThenTakesAllThatIsRetained) {
  Segment a = Acquire(2 * kMiB), b = Acquire(2 * kMiB), c = Acquire(2 * kMiB);
  Return(std::move(a));
  Return(std::move(b));
  Return(std::move(c));
  calls_.FailNext(Call::kFallocate, ENOSPC, 2);
  Segment segment = Acquire(kMiB);
  EXPECT_EQ(EvictedForRoom(), 3u);
  EXPECT_EQ(calls_.live().files, 1u);
  Return(std::move(segment));
}

TEST_F(SegmentPoolTest, ARefusalByTheFilesystemLeavesNothingBehind) {
  for (const int error : {ENOSPC, ENOMEM, EIO, EPERM}) {
    calls_.FailNext(Call::kFallocate, error, 3);
    EXPECT_THAT(TryAcquire(2 * kMiB), testing::Not(IsOk()));
    calls_.StopFailing();
    EXPECT_EQ(calls_.live(), FaultySystemCalls::Live()) << error;
    EXPECT_EQ(pool_->stats().ledger.used(), 0u) << error;
  }
}

TEST_F(SegmentPoolTest, AWarmSegmentNeedsNoRoom) {
  MakeWithCapacity(2 * kMiB);
  Return(Acquire(2 * kMiB));
  calls_.FailNext(Call::kFallocate, ENOSPC, 100);
  Return(Acquire(2 * kMiB));
  EXPECT_EQ(last_warmth_, Warmth::kWarm);
}

TEST_F(SegmentPoolTest, EndsAtOnceWhatIsMappedOrNot) {
  Segment segment = Acquire(64 * kKiB);
  Misbehaving client = Keep(segment);
  pool_->Free(std::move(segment));
  pool_->Drain();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
}

TEST_F(SegmentPoolTest, WhatIsLetGoStaysForTheNextDaemon) {
  pool_->Detach(Acquire(64 * kKiB));
  EXPECT_EQ(calls_.live(), (FaultySystemCalls::Live{.files = 1}));
  EXPECT_EQ(In(ByteState::kLeased), 64 * kKiB);
}

TEST_F(SegmentPoolTest, DrainingEndsWhatIsRetainedAndWhatComesBackLater) {
  Segment late = Acquire(2 * kMiB);
  Return(Acquire(2 * kMiB));
  pool_->Drain();
  EXPECT_EQ(calls_.live().files, 1u);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  EXPECT_EQ(In(ByteState::kBatched), 0u);
  Return(std::move(late));
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  pool_.reset();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(SegmentPoolTest, WhatIsQuarantinedInTheEndStaysForTheNextDaemon) {
  Segment segment = Acquire(64 * kKiB);
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  pool_.reset();
  EXPECT_EQ(calls_.live(), (FaultySystemCalls::Live{.files = 1}));
}

TEST_F(SegmentPoolTest, HoldsNoLockWhileTheKernelWorks) {
  // stats() would wait for ever on its own thread.
  uint64_t leased = 0;
  const auto look = [&] { leased = In(ByteState::kLeased); };
  for (const Call call : {Call::kOpen, Call::kFallocate}) {
    calls_.BeforeNext(call, look);
    Segment segment = Acquire(64 * kKiB);
    EXPECT_EQ(leased, 64 * kKiB) << "bytes are taken before they are made";
    calls_.BeforeNext(Call::kFcntl, look);
    Return(std::move(segment));
    calls_.BeforeNext(Call::kUnlink, look);
    calls_.BeforeNext(Call::kClose, look);
    pool_->Drain();
    EXPECT_EQ(leased, 0u);
    Make(InlineOptions());
  }
}

TEST_F(SegmentPoolTest, TwoSegmentsMadeAtOnceDoNotExceedTheCapacity) {
  MakeWithCapacity(2 * kMiB);
  std::optional<absl::Status> second;
  calls_.BeforeNext(Call::kFallocate, [&] {
    second = pool_->Acquire({.owner = 1001, .bytes = 2 * kMiB}).status();
  });
  Segment first = Acquire(2 * kMiB);
  ASSERT_TRUE(second.has_value());
  EXPECT_THAT(*second, StatusIs(absl::StatusCode::kResourceExhausted));
  Return(std::move(first));
}

TEST_F(SegmentPoolTest, FailedProofsDoNotShrinkAnAdaptiveRing) {
  // A segment that fails its proof is out of use once, not twice: the swing
  // that sizes the ring would come out too small.
  SegmentPool::Options options = InlineOptions();
  options.bigcache.slots = std::nullopt;
  Make(options);
  std::vector<Segment> segments;
  for (int i = 0; i < 4; ++i) segments.push_back(Acquire(64 * kKiB));
  for (int i = 0; i < 4; ++i) {
    const std::string path = directory_->PathOf(segments[i]);
    Return(std::move(segments[i]));
    ASSERT_EQ(truncate(path.c_str(), 0), 0);
    segments[i] = Acquire(64 * kKiB);
  }
  ASSERT_EQ(pool_->stats().acquired.failed_proofs, 4u);
  for (int i = 0; i < 5; ++i) segments.push_back(Acquire(64 * kKiB));
  for (Segment& segment : segments) Return(std::move(segment));
  EXPECT_EQ(pool_->stats().retained_segments, 9u);
}

}  // namespace
}  // namespace warmpool
