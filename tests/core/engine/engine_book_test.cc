#include "core/engine/engine_book.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

constexpr uid_t kUid = 1000;
constexpr size_t kSize = 4096;
constexpr absl::Time kNow = absl::UnixEpoch();

// Segments here are handles of nothing.
Segment Handle() { return Segment(SizeClass{0}, kSize, kUid); }

SegmentPoolOptions Options() {
  SegmentPoolOptions options;
  options.capacity_bytes = 64 * kSize;
  options.overhead_bytes = kSize;
  options.bigcache.max_bytes = 2 * kSize;
  options.prove_within = absl::Milliseconds(20);
  return options;
}

TEST(EngineBookTest, WhatIsEvictedIsAccountedAsBatched) {
  EngineBook book(Options());
  std::vector<Segment> cold;
  {
    MutexLock lock(&book.mutex);
    book.ledger.Enter(ByteState::kRetained, SizeClass{0}, kSize);
    std::vector<Eviction> evicted;
    book.bigcache.Retain(Handle(), kNow, &evicted);
    EXPECT_TRUE(evicted.empty());
    book.bigcache.EvictAll(EvictionReason::kDrained, &evicted);
    cold = book.AccountEvicted(std::move(evicted));
    EXPECT_EQ(book.ledger.in(ByteState::kBatched), kSize);
  }
  EXPECT_EQ(cold.size(), 1u);
  book.CheckInvariants();
  EXPECT_EQ(book.stats().retained_segments, 0u);
  EXPECT_EQ(book.stats().ledger.in(ByteState::kOverhead), kSize);
}

TEST(EngineBookTest, WhatAShelfHasGivenOutCountsInItsState) {
  EngineBook book(Options());
  {
    MutexLock lock(&book.mutex);
    book.ledger.Enter(ByteState::kRetained, SizeClass{0}, kSize);
    book.ledger.Enter(ByteState::kQuarantined, SizeClass{0}, kSize);
    book.unproven.Add(Handle(), kNow);
    book.quarantine.Add(Handle(), kNow);
    EXPECT_EQ(book.unproven.TakeDue(absl::InfiniteFuture()).size(), 1u);
    EXPECT_EQ(book.quarantine.TakeDue(absl::InfiniteFuture()).size(), 1u);
  }
  book.CheckInvariants();
  EXPECT_EQ(book.stats().retained_segments, 1u);
  EXPECT_EQ(book.stats().quarantined_segments, 1u);
  {
    MutexLock lock(&book.mutex);
    book.unproven.OnProven(kSize);
  }
  EXPECT_DEATH(book.CheckInvariants(), "the ledger and BigCache disagree");
}

TEST(EngineBookTest, UnprovenSegmentsCrowdARingAndTheByteCap) {
  EngineBook book(Options());
  MutexLock lock(&book.mutex);
  EXPECT_FALSE(book.IsCrowded(Handle(), kNow));
  book.ledger.Enter(ByteState::kRetained, SizeClass{0}, 2 * kSize);
  EXPECT_TRUE(book.IsCrowded(Handle(), kNow));
}

TEST(EngineBookTest, FiguresAreKeptByClassAndSummedUp) {
  EngineBook book(Options());
  {
    MutexLock lock(&book.mutex);
    ++book.CountsOf(SizeClass{2}).fresh;
    ++book.CountsOf(SizeClass{0}).fresh;
    book.RecordReturn();
    EXPECT_EQ(book.returns, 1u);
  }
  const SegmentPoolStats stats = book.stats();
  EXPECT_EQ(stats.acquired.fresh, 2u);
  ASSERT_EQ(stats.classes.size(), 2u) << "only those that were used";
  EXPECT_EQ(stats.classes[0].segment_bytes, kSize);
}

}  // namespace
}  // namespace warmpool
