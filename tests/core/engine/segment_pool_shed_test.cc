// A pool that gives everything back that no lease needs.
#include <utility>
#include <vector>

#include "core/base/byte_size.h"
#include "gtest/gtest.h"
#include "tests/core/engine/segment_pool_fixture.h"

namespace warmpool {
namespace {

class SegmentPoolShedTest : public SegmentPoolFixture {
 protected:
  // With Batch on its own thread, as a daemon has it, which keeps all it gets.
  void SetUp() override {
    SegmentPool::Options options;
    options.capacity_bytes = 64 * kMiB;
    options.batch.max_age = absl::InfiniteDuration();
    options.batch.threshold_bytes = 64 * kMiB;
    options.prove_within = absl::Seconds(1);
    options.stock.max_bytes = 16 * kMiB;
    Make(options);
  }
};

TEST_F(SegmentPoolShedTest, EndsAllThatNoLeaseNeedsAndNothingElse) {
  Segment leased = Acquire(kMiB);
  Segment cold = Acquire(2 * kMiB);
  Segment proven = Acquire(kMiB);
  Segment unproven = Acquire(kMiB);
  pool_->Free(std::move(cold));
  Return(std::move(proven));
  pool_->ReturnReleased(std::move(unproven));
  ASSERT_TRUE(pool_->MakeStock([](absl::FunctionRef<void()> step) {
    step();
    return true;
  }));
  const uint64_t stock = In(ByteState::kStock);
  ASSERT_GT(stock, 0u);
  ASSERT_EQ(In(ByteState::kRetained), 2 * kMiB);
  ASSERT_EQ(In(ByteState::kBatched), 2 * kMiB);
  EXPECT_EQ(pool_->kept_bytes(), stock + 4 * kMiB);

  EXPECT_EQ(pool_->ReleaseUnused(EvictionReason::kPressure, absl::Seconds(10)),
            stock + 2 * kMiB);
  pool_->CheckInvariants();
  EXPECT_EQ(pool_->kept_bytes(), 0u);
  EXPECT_EQ(In(ByteState::kLeased), kMiB);
  EXPECT_EQ(AllocatedBytes(path_), kMiB);
  EXPECT_EQ(
      pool_->stats()
          .bigcache.evictions[static_cast<size_t>(EvictionReason::kPressure)],
      2u);
  // It goes on as before.
  Return(std::move(leased));
  EXPECT_EQ(In(ByteState::kRetained), kMiB);
  EXPECT_EQ(pool_->ReleaseUnused(EvictionReason::kPressure, absl::Seconds(10)),
            kMiB);
  EXPECT_EQ(pool_->ReleaseUnused(EvictionReason::kPressure, absl::Seconds(10)),
            0u);
}

TEST_F(SegmentPoolShedTest, WhatSomebodyStillHasIsQuarantined) {
  Segment segment = Acquire(kMiB);
  Return(std::move(segment));
  Segment again = Acquire(kMiB);
  const std::string path = directory_->PathOf(again);
  Return(std::move(again));
  const Misbehaving client(path);
  pool_->ReleaseUnused(EvictionReason::kPressure, absl::Seconds(10));
  pool_->CheckInvariants();
  EXPECT_EQ(In(ByteState::kQuarantined), kMiB);
}

}  // namespace
}  // namespace warmpool
