// Segments made ahead of demand.
#include <errno.h>
#include <sys/stat.h>

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/engine/segment_pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/engine/segment_pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

constexpr uint64_t kSize = 2 * kMiB;

class SegmentPoolStockTest : public SegmentPoolFixture {
 protected:
  SegmentPoolStockTest() { MakeWithCapacity(64 * kMiB); }
  // The pool calls back to the last.
  ~SegmentPoolStockTest() override { pool_.reset(); }

  void MakeWithCapacity(uint64_t bytes) {
    SegmentPool::Options options = InlineOptions();
    options.capacity_bytes = bytes;
    options.stock.max_bytes = bytes / 2;
    options.on_stock_wanted = [this] { ++wanted_; };
    Make(options);
  }

  bool MakeOne() {
    const bool made = pool_->MakeStock([](absl::FunctionRef<void()> step) {
      step();
      return true;
    });
    pool_->CheckInvariants();
    return made;
  }
  void MakeAll() {
    while (MakeOne()) {
    }
  }

  // Leases that found nothing ready, and keep what they got.
  void Demand(size_t times, uint64_t bytes = kSize) {
    for (; times > 0; --times) held_.push_back(Acquire(bytes));
  }
  void ReleaseAll() {
    for (Segment& segment : held_) Return(std::move(segment));
    held_.clear();
  }

  absl::StatusOr<SegmentPool::Acquired> AcquireReady(bool zeroed) {
    auto acquired = pool_->Acquire({.owner = 1000,
                                    .bytes = kSize,
                                    .require_zeroed = zeroed,
                                    .if_ready = true});
    pool_->CheckInvariants();
    return acquired;
  }

  // Of the only file in stock.
  std::string StockPath() const {
    std::string path;
    for (const std::string& name : calls_.files()) {
      bool held = name.find(".seg") == std::string::npos;
      for (const Segment& segment : held_) held |= segment.file_name() == name;
      if (!held) path = path_ + "/" + name;
    }
    return path;
  }

  std::atomic<int> wanted_ = 0;
  std::vector<Segment> held_;
};

TEST_F(SegmentPoolStockTest, AClassInDemandIsLeasedFromStock) {
  Demand(1);
  EXPECT_EQ(wanted_, 0) << "one lease is no demand";
  EXPECT_FALSE(MakeOne());
  Demand(1);
  EXPECT_EQ(wanted_, 1);
  MakeAll();
  EXPECT_EQ(In(ByteState::kStock), 2 * kSize);
  EXPECT_EQ(pool_->stats().stock_segments, 2u);
  ExpectEveryByteAccountedFor();

  Segment segment = Acquire(kSize);
  EXPECT_EQ(last_warmth_, Warmth::kStock);
  EXPECT_TRUE(segment.zeroed());
  EXPECT_EQ(wanted_, 2);
  EXPECT_EQ(pool_->stats().acquired.stock, 1u);
  EXPECT_EQ(pool_->stats().bigcache.misses, 3u);
  EXPECT_EQ(In(ByteState::kStock), kSize);
  Return(std::move(segment));
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, PagesAreWrittenInSteps) {
  Demand(2, 4 * kMiB);
  const uint64_t before = calls_.Count(Call::kWrite);
  std::vector<uint64_t> writes;
  EXPECT_TRUE(pool_->MakeStock([&](absl::FunctionRef<void()> step) {
    step();
    writes.push_back(calls_.Count(Call::kWrite));
    EXPECT_EQ(In(ByteState::kStock), 4 * kMiB) << "while it is made";
    pool_->CheckInvariants();
    return true;
  }));
  EXPECT_EQ(writes.size(), 4 * kMiB / StockKeeper::kStepBytes);
  EXPECT_GT(writes.front(), before);
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, AnotherUidGetsNoneOfIt) {
  Demand(2);
  MakeAll();
  Segment segment = Acquire(kSize, /*owner=*/1001);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  Return(std::move(segment));
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, WhoNeedsZeroesOrOnlyWhatIsReadyIsServedToo) {
  Demand(2);
  EXPECT_THAT(AcquireReady(false), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(pool_->stats().bigcache.misses, 2u) << "it is asked for again";
  MakeAll();
  auto ready = AcquireReady(false);
  ASSERT_THAT(ready, IsOk());
  EXPECT_EQ(ready->warmth, Warmth::kStock);
  EXPECT_EQ(pool_->stats().bigcache.misses, 3u);
  auto zeroed = AcquireReady(true);
  ASSERT_THAT(zeroed, IsOk());
  EXPECT_EQ(zeroed->warmth, Warmth::kStock);
  EXPECT_TRUE(zeroed->segment.zeroed());
  EXPECT_EQ(pool_->stats().acquired.misses_zeroed, 1u);
  EXPECT_THAT(AcquireReady(true), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(pool_->stats().acquired.misses_zeroed, 1u);
  Return(std::move(ready->segment));
  Return(std::move(zeroed->segment));
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, WhatSomebodyOpenedMeanwhileIsNotLeased) {
  Demand(2);
  MakeOne();
  Misbehaving client(StockPath());
  Segment segment = Acquire(kSize);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  EXPECT_EQ(In(ByteState::kQuarantined), kSize);
  EXPECT_EQ(pool_->stats().acquired.failed_proofs, 1u);
  client.Stop();
  Return(std::move(segment));
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, WhatSomebodyTamperedWithIsEnded) {
  Demand(2);
  MakeOne();
  ASSERT_EQ(truncate(StockPath().c_str(), 4096), 0);
  Segment segment = Acquire(kSize);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  EXPECT_EQ(In(ByteState::kQuarantined), 0u);
  Return(std::move(segment));
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, StockLeavesRoomForLeases) {
  MakeWithCapacity(16 * kMiB);
  Demand(5);
  MakeAll();
  EXPECT_EQ(In(ByteState::kStock), 4 * kMiB);
  EXPECT_GE(pool_->stats().ledger.free(), 2 * kMiB);
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, StockTakesNothingThatIsRetained) {
  MakeWithCapacity(16 * kMiB);
  Demand(7);
  ReleaseAll();
  const uint64_t retained = In(ByteState::kRetained);
  EXPECT_FALSE(MakeOne());
  EXPECT_EQ(In(ByteState::kRetained), retained);
}

TEST_F(SegmentPoolStockTest, StockEndsForALeaseBeforeAnythingRetained) {
  MakeWithCapacity(16 * kMiB);
  Return(Acquire(kMiB));
  Demand(2);
  MakeAll();
  ASSERT_EQ(In(ByteState::kStock), 2 * kSize);
  // 16 less 1 retained and 4 leased: all but 1 of what is free or stock.
  Segment segment = Acquire(10 * kMiB);
  EXPECT_EQ(In(ByteState::kStock), 0u);
  EXPECT_EQ(In(ByteState::kRetained), kMiB);
  EXPECT_EQ(In(ByteState::kBatched), 0u) << "it ended before the answer";
  Return(std::move(segment));
  EXPECT_FALSE(MakeOne()) << "a lease lacked room just before";
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, ARefusalMeansThatStockIsGoneToo) {
  MakeWithCapacity(16 * kMiB);
  Demand(2);
  MakeAll();
  // Of the class of 12 MiB, which is all that is not leased.
  Segment segment = Acquire(12 * kMiB);
  EXPECT_THAT(TryAcquire(kMiB), StatusIs(absl::StatusCode::kResourceExhausted));
  Return(std::move(segment));
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, AFullFilesystemEndsStockForALease) {
  Demand(2);
  MakeAll();
  calls_.FailNext(Call::kFallocate, ENOSPC);
  Segment segment = Acquire(4 * kMiB);
  EXPECT_EQ(In(ByteState::kStock), 0u);
  Return(std::move(segment));
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, WhatIsBeingMadeGivesWayToALease) {
  MakeWithCapacity(16 * kMiB);
  Demand(2, 4 * kMiB);
  std::optional<absl::StatusOr<SegmentPool::Acquired>> acquired;
  std::thread lease;
  int steps = 0;
  EXPECT_TRUE(pool_->MakeStock([&](absl::FunctionRef<void()> step) {
    step();
    if (++steps > 1) return true;
    lease = std::thread([&] { acquired = TryAcquire(8 * kMiB); });
    // It is about to find that the rest of what it needs is being made.
    while (pool_->stats().bigcache.misses < 3) std::this_thread::yield();
    return true;
  }));
  lease.join();
  pool_->CheckInvariants();
  ASSERT_THAT(*acquired, IsOk());
  EXPECT_EQ(In(ByteState::kStock), 0u);
  EXPECT_EQ(In(ByteState::kLeased), 16 * kMiB);
  Return(std::move((*acquired)->segment));
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, WhatCannotBeMadeIsNotTriedAgainAtOnce) {
  for (const Call call : {Call::kOpen, Call::kFallocate, Call::kWrite}) {
    Demand(2);
    const FaultySystemCalls::Live before = calls_.live();
    calls_.FailNext(call, ENOSPC);
    EXPECT_TRUE(MakeOne());
    EXPECT_FALSE(MakeOne());
    EXPECT_EQ(In(ByteState::kStock), 0u);
    pool_->FlushBatch();
    EXPECT_EQ(calls_.live(), before) << SystemCalls::Name(call);
    clock_.Advance(StockKeeper::kPause);
    EXPECT_TRUE(MakeOne());
    EXPECT_EQ(In(ByteState::kStock), kSize);
    EXPECT_EQ(
        pool_->ReleaseUnused(EvictionReason::kPressure, absl::ZeroDuration()),
        kSize);
  }
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, ARunnerThatStopsLeavesNothingBehind) {
  Demand(2);
  const FaultySystemCalls::Live before = calls_.live();
  EXPECT_TRUE(
      pool_->MakeStock([](absl::FunctionRef<void()>) { return false; }));
  pool_->CheckInvariants();
  pool_->FlushBatch();
  EXPECT_EQ(calls_.live(), before);
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, StockDecaysWithoutTraffic) {
  Demand(2);
  MakeAll();
  ReleaseAll();
  ASSERT_GT(In(ByteState::kStock), 0u);
  absl::Time next = pool_->Tick();
  // Whoever calls Tick comes when it says, and only then.
  for (int i = 0; i < 10 && next < absl::InfiniteFuture(); ++i) {
    next = TickAfter(next - clock_.Now());
  }
  EXPECT_EQ(next, absl::InfiniteFuture());
  EXPECT_EQ(In(ByteState::kStock), 0u);
  pool_->FlushBatch();
  EXPECT_EQ(calls_.live().files, 0u);
}

TEST_F(SegmentPoolStockTest, UnderPressureStockEndsAndNoneIsMadeForAWhile) {
  Demand(2);
  MakeAll();
  EXPECT_EQ(pool_->ReleaseUnused(EvictionReason::kPressure, absl::Seconds(5)),
            2 * kSize);
  pool_->CheckInvariants();
  EXPECT_EQ(In(ByteState::kStock), 0u);
  EXPECT_EQ(In(ByteState::kBatched), 0u);
  clock_.Advance(absl::Seconds(4));
  Demand(2);
  EXPECT_FALSE(MakeOne());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(MakeOne());
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, WhenBytesEndStockThatFoundNoRoomIsWantedAgain) {
  MakeWithCapacity(8 * kMiB);
  Demand(4);
  EXPECT_FALSE(MakeOne());
  const int before = wanted_;
  pool_->Free(std::move(held_.back()));
  held_.pop_back();
  pool_->FlushBatch();
  EXPECT_EQ(wanted_, before + 1);
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, DrainEndsStockForGood) {
  Demand(2);
  MakeAll();
  pool_->Drain();
  EXPECT_EQ(In(ByteState::kStock), 0u);
  EXPECT_EQ(In(ByteState::kBatched), 0u);
  EXPECT_FALSE(MakeOne());
  EXPECT_EQ(calls_.live().files, 2u);
  ReleaseAll();
}

TEST_F(SegmentPoolStockTest, NothingIsLeftBehind) {
  Demand(2);
  MakeAll();
  ReleaseAll();
  pool_.reset();
  EXPECT_EQ(calls_.live().files, 0u);
}

}  // namespace
}  // namespace warmpool
