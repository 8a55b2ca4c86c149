#include "core/engine/block_allocator.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/status_macros.h"

namespace warmpool {

BlockAllocator::BlockAllocator(SystemCalls* calls, const Clock* clock,
                               const Options& options)
    : tier_idle_(options.tier_idle),
      clock_(*clock),
      source_(calls, options.memory),
      pool_(&source_, calls, clock, options.segments),
      tier_(options.max_tier_block_bytes) {}

BlockAllocator::~BlockAllocator() { SweepTier(); }

absl::StatusOr<Block*> BlockAllocator::Allocate(size_t bytes) {
  ASSIGN_OR_RETURN(const SizeClass size_class, pool_.size_classes().For(bytes));
  if (Block* const block = tier_.Take(size_class)) return block;
  ASSIGN_OR_RETURN(SegmentPool::Acquired acquired, pool_.Acquire({0, bytes}));
  return new Block(std::move(acquired.segment));
}

void BlockAllocator::Free(Block* block) {
  if (!tier_.Put(block)) ReturnToPool(block);
}

void BlockAllocator::ReturnToPool(Block* block) {
  pool_.Return(std::move(block->segment_));
  delete block;
}

absl::Time BlockAllocator::Tick() {
  const bool left = tier_.Sweep(
      /*all=*/false, [this](Block* block) { ReturnToPool(block); });
  const absl::Time next = pool_.Tick();
  return left ? std::min(next, clock_.Now() + tier_idle_) : next;
}

void BlockAllocator::SweepTier() {
  tier_.Sweep(/*all=*/true, [this](Block* block) { ReturnToPool(block); });
}

void BlockAllocator::Flush() { pool_.FlushBatch(); }

uint64_t BlockAllocator::tier_bytes() const {
  return tier_.Count([this](SizeClass size_class) {
    return pool_.size_classes().Bytes(size_class);
  });
}

void BlockAllocator::CheckInvariants() const {
  pool_.CheckInvariants();
  WARMPOOL_CHECK(tier_bytes() <= pool_.stats().ledger.in(ByteState::kLeased),
                 "the tier keeps blocks that the pool does not know as leased");
}

}  // namespace warmpool
