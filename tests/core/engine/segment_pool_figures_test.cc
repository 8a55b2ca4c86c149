// How many segments go cold, in how many batches, with how many system calls:
// exact figures for a load that everybody can work out by hand.
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include "core/engine/segment_pool.h"
#include "core/memory/pages/anonymous_source.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

enum class Source { kDirectory, kAnonymous };

class SegmentPoolFiguresTest : public DirectoryFixture,
                               public testing::WithParamInterface<
                                   std::tuple<Source, UnmapBatch::Drain>> {
 protected:
  static Source source() { return std::get<0>(GetParam()); }

  void Make(size_t slots) {
    if (source() == Source::kDirectory) {
      source_ = OpenOrDie();
    } else {
      source_ = std::make_unique<AnonymousSource>(&calls_);
    }
    SegmentPool::Options options;
    options.bigcache.slots = slots;
    options.bigcache.decay = absl::InfiniteDuration();
    options.batch.drain = std::get<1>(GetParam());
    // How many munmaps runs of neighbours take depends on who lies where.
    options.batch.unmap = UnmapBatch::Unmap::kEach;
    pool_ =
        std::make_unique<SegmentPool>(source_.get(), &calls_, &clock_, options);
  }

  // So many segments of 2 MiB at once, then none.
  void AcquireAndReturn(int count) {
    std::vector<Segment> segments;
    for (int i = 0; i < count; ++i) {
      segments.push_back(
          pool_->Acquire({.owner = 1000, .bytes = 2 * kMiB}).value().segment);
    }
    for (Segment& segment : segments) pool_->Return(std::move(segment));
    pool_->CheckInvariants();
  }

  // Once every batch that was handed over has ended.
  SegmentPool::Stats Settled() {
    pool_->FlushBatch();
    return pool_->stats();
  }

  FakeClock clock_;
  std::unique_ptr<SegmentSource> source_;
  std::unique_ptr<SegmentPool> pool_;
};

INSTANTIATE_TEST_SUITE_P(
    Sources, SegmentPoolFiguresTest,
    testing::Combine(testing::Values(Source::kDirectory, Source::kAnonymous),
                     testing::Values(UnmapBatch::Drain::kThread,
                                     UnmapBatch::Drain::kInline)),
    [](const auto& info) {
      return std::string(std::get<0>(info.param) == Source::kDirectory
                             ? "Directory"
                             : "Anonymous") +
             (std::get<1>(info.param) == UnmapBatch::Drain::kThread ? "Thread"
                                                                    : "Inline");
    });

TEST_P(SegmentPoolFiguresTest, AHundredReturnedToFourSlots) {
  Make(/*slots=*/4);
  AcquireAndReturn(100);
  const SegmentPool::Stats stats = Settled();

  EXPECT_EQ(stats.acquired.fresh, 100u);
  EXPECT_EQ(stats.bigcache.evictions_total(), 96u);
  EXPECT_EQ(
      stats.bigcache.evictions[static_cast<size_t>(EvictionReason::kRingFull)],
      96u);
  EXPECT_EQ(stats.retained_segments, 4u);
  EXPECT_EQ(stats.batch.blocks_added, 96u);
  EXPECT_EQ(stats.batch.bytes_added, 192 * kMiB);
  EXPECT_EQ(stats.batch.crossings, 48u);
  EXPECT_EQ(stats.batch.flushes, 48u);
  EXPECT_EQ(stats.batch.blocks_flushed, 96u);
  EXPECT_EQ(stats.batch.blocks_waiting, 0u);
  EXPECT_EQ(stats.ledger.in(ByteState::kRetained), 8 * kMiB);
  EXPECT_EQ(stats.ledger.used(), 8 * kMiB);

  // What the memory layer was asked for.
  const bool files = source() == Source::kDirectory;
  EXPECT_EQ(calls_.Count(Call::kUnlink), files ? 96u : 0u);
  EXPECT_EQ(calls_.Count(Call::kClose), files ? 96u : 0u);
  EXPECT_EQ(calls_.Count(Call::kMunmap), files ? 0u : 96u);
  EXPECT_EQ(calls_.live().files, files ? 4u : 0u);
  EXPECT_EQ(calls_.live().mappings, files ? 0u : 4u);
}

TEST_P(SegmentPoolFiguresTest, TheSameAgainIsFourWarmAndNinetySixFresh) {
  Make(/*slots=*/4);
  AcquireAndReturn(100);
  AcquireAndReturn(100);
  const SegmentPool::Stats stats = Settled();
  EXPECT_EQ(stats.acquired.warm, 4u);
  EXPECT_EQ(stats.acquired.fresh, 196u);
  EXPECT_EQ(stats.bigcache.evictions_total(), 192u);
  EXPECT_EQ(stats.batch.crossings, 96u);
  EXPECT_EQ(stats.batch.flushes, 96u);
}

TEST_P(SegmentPoolFiguresTest, WithASlotForEachNothingEverEnds) {
  Make(/*slots=*/10);
  for (int round = 0; round < 10; ++round) AcquireAndReturn(10);
  const SegmentPool::Stats stats = Settled();
  EXPECT_EQ(stats.acquired.fresh, 10u);
  EXPECT_EQ(stats.acquired.warm, 90u);
  EXPECT_EQ(stats.bigcache.evictions_total(), 0u);
  EXPECT_EQ(stats.batch.blocks_added, 0u);
  EXPECT_EQ(stats.batch.crossings, 0u);
  EXPECT_EQ(stats.batch.flushes, 0u);
  EXPECT_EQ(calls_.Count(Call::kUnlink), 0u);
  EXPECT_EQ(calls_.Count(Call::kMunmap), 0u);
  EXPECT_EQ(calls_.Count(Call::kClose), 0u);
}

TEST_P(SegmentPoolFiguresTest, NothingIsLeftInTheEnd) {
  Make(/*slots=*/4);
  AcquireAndReturn(9);
  pool_.reset();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

}  // namespace
}  // namespace warmpool
