#include "core/engine/block_allocator.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/faulty_system_calls.h"

namespace warmpool {
namespace {

class BlockAllocatorTest : public ::testing::Test {
 protected:
  static BlockAllocator::Options Options() {
    BlockAllocator::Options options;
    options.segments.bigcache.decay = absl::Seconds(1);
    options.segments.batch.drain = UnmapBatch::Drain::kInline;
    options.tier_idle = absl::Seconds(1);
    return options;
  }

  FaultySystemCalls calls_;
  FakeClock clock_;
  BlockAllocator allocator_{&calls_, &clock_, Options()};
};

TEST_F(BlockAllocatorTest, GivesWritableBlocksOfAtLeastTheSize) {
  for (const size_t bytes : {size_t{1}, size_t{5000}, 2 * kMiB, 5 * kMiB}) {
    absl::StatusOr<Block*> block = allocator_.Allocate(bytes);
    ASSERT_THAT(block, IsOk());
    EXPECT_GE((*block)->bytes(), bytes);
    std::memset((*block)->data(), 1, (*block)->bytes());
    allocator_.Free(*block);
  }
  EXPECT_THAT(allocator_.Allocate(0),
              StatusIs(absl::StatusCode::kInvalidArgument));
  allocator_.CheckInvariants();
}

TEST_F(BlockAllocatorTest, AFreedBlockIsTheNextOneWithoutAnyCall) {
  Block* const first = *allocator_.Allocate(2 * kMiB);
  std::byte* const data = first->data();
  allocator_.Free(first);
  EXPECT_EQ(allocator_.tier_bytes(), 2 * kMiB);
  const uint64_t maps = calls_.Count(SystemCalls::Call::kMmap);
  for (int i = 0; i < 100; ++i) {
    Block* const block = *allocator_.Allocate(2 * kMiB);
    EXPECT_EQ(block->data(), data);
    allocator_.Free(block);
  }
  EXPECT_EQ(calls_.Count(SystemCalls::Call::kMmap), maps);
  allocator_.CheckInvariants();
}

TEST_F(BlockAllocatorTest, IdleMemoryGoesBackToTheMachine) {
  std::vector<Block*> blocks;
  for (int i = 0; i < 20; ++i) blocks.push_back(*allocator_.Allocate(2 * kMiB));
  for (Block* const block : blocks) allocator_.Free(block);
  EXPECT_GT(allocator_.tier_bytes(), 0u);
  for (int second = 0; second < 4; ++second) {
    allocator_.Tick();
    clock_.Advance(absl::Seconds(1));
  }
  allocator_.Flush();
  EXPECT_EQ(allocator_.tier_bytes(), 0u);
  EXPECT_EQ(allocator_.stats().ledger.used(), 0u);
  EXPECT_EQ(calls_.live().mappings, 0u);
}

TEST_F(BlockAllocatorTest, WithoutMemoryItSaysSoAndLosesNothing) {
  calls_.FailNth(SystemCalls::Call::kMmap, 1, ENOMEM, /*times=*/100);
  EXPECT_THAT(allocator_.Allocate(2 * kMiB),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(allocator_.stats().ledger.used(), 0u);
  allocator_.CheckInvariants();
}

TEST_F(BlockAllocatorTest, ThreadsNeverShareABlock) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      std::mt19937 random(t);
      std::vector<Block*> mine;
      for (int i = 0; i < 3000; ++i) {
        if (mine.size() == 6 || (!mine.empty() && random() % 2 == 0)) {
          std::swap(mine.back(), mine[random() % mine.size()]);
          EXPECT_EQ(mine.back()->data()[0], std::byte(t));
          allocator_.Free(mine.back());
          mine.pop_back();
        } else {
          mine.push_back(*allocator_.Allocate(kPageSize << random() % 8));
          mine.back()->data()[0] = std::byte(t);
        }
        if (i % 100 == 0) allocator_.Tick();
      }
      for (Block* const block : mine) allocator_.Free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  allocator_.CheckInvariants();
  allocator_.SweepTier();
  EXPECT_EQ(allocator_.stats().ledger.in(ByteState::kLeased), 0u);
}

}  // namespace
}  // namespace warmpool
