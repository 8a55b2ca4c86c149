// How everything that no lease needs ends at once: since the machine is short
// of memory, somebody asks for it, or the pool drains.
#include <utility>

#include "core/engine/segment_pool.h"

namespace warmpool {

uint64_t SegmentPool::kept_bytes() const {
  MutexLock lock(&mutex_);
  return ledger_.in(ByteState::kStock) + ledger_.in(ByteState::kRetained) +
         ledger_.in(ByteState::kBatched);
}

void SegmentPool::Drain() {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
  }
  ReleaseUnused(EvictionReason::kDrained, absl::InfiniteDuration());
  ProbeAllQuarantined(clock_.Now());
  batch_.Flush();
}

uint64_t SegmentPool::ReleaseUnused(EvictionReason reason,
                                    absl::Duration stock_pause) {
  uint64_t bytes = GiveUpStock(UINT64_MAX, stock_pause);
  ProveUnproven(absl::InfiniteFuture());
  std::vector<Segment> cold;
  {
    MutexLock lock(&mutex_);
    std::vector<Eviction> evicted;
    bigcache_.EvictAll(reason, &evicted);
    cold = AccountEvictedLocked(std::move(evicted));
  }
  for (const Segment& segment : cold) bytes += segment.bytes();
  HandOff(std::move(cold));
  batch_.Flush();
  return bytes;
}

}  // namespace warmpool
