// BlockAllocator: the engine as an allocator of private memory within one
// process: a SegmentPool over an AnonymousSource, with a ThreadTier in front.
//
// Thread-safe. What the tier keeps counts as leased in the pool's ledger.
#ifndef WARMPOOL_CORE_ENGINE_BLOCK_ALLOCATOR_H_
#define WARMPOOL_CORE_ENGINE_BLOCK_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/engine/segment_pool.h"
#include "core/engine/thread_tier.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/pages/anonymous_source.h"
#include "core/memory/segment.h"

namespace warmpool {

// A block of memory, the caller's from Allocate to Free.
class Block {
 public:
  std::byte* data() { return data_; }
  // Bytes that may be used: at least those asked for.
  size_t bytes() const { return bytes_; }
  SizeClass size_class() const { return size_class_; }

 private:
  friend class BlockAllocator;
  explicit Block(Segment segment)
      : data_(segment.data()),
        bytes_(segment.bytes()),
        size_class_(segment.size_class()),
        segment_(std::move(segment)) {}

  std::byte* const data_;
  const size_t bytes_;
  const SizeClass size_class_;
  Segment segment_;
};

class BlockAllocator {
 public:
  // Bounds what the tier can keep: ThreadTier::kSlots of these a thread.
  static constexpr size_t kDefaultMaxTierBlockBytes = 4 * kMiB;

  struct Options {
    SegmentPool::Options segments;
    AnonymousSource::Options memory;
    // Larger blocks pass the tier by; 0: there is none.
    size_t max_tier_block_bytes = kDefaultMaxTierBlockBytes;
    // Blocks that lie in the tier for longer go to the pool.
    absl::Duration tier_idle = absl::Seconds(1);
  };

  // `calls` and `clock` must outlive this.
  BlockAllocator(SystemCalls* calls, const Clock* clock,
                 const Options& options);
  // REQUIRES: every block was freed.
  ~BlockAllocator();

  // INVALID_ARGUMENT: the size. RESOURCE_EXHAUSTED: no memory.
  absl::StatusOr<Block*> Allocate(size_t bytes);
  void Free(Block* block);

  // Does what time has made due: sweeps the tier, then SegmentPool::Tick.
  // Returns when to come back.
  absl::Time Tick();

  // Gives all that the tier keeps back to the pool.
  void SweepTier();

  // Ends whatever waits in Batch.
  void Flush();

  SegmentPool::Stats stats() const { return pool_.stats(); }
  // Bytes in the tier; exact while no other thread allocates.
  uint64_t tier_bytes() const;
  void CheckInvariants() const;

 private:
  void ReturnToPool(Block* block);

  const absl::Duration tier_idle_;
  const Clock& clock_;
  AnonymousSource source_;
  SegmentPool pool_;
  ThreadTier<Block> tier_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_BLOCK_ALLOCATOR_H_
