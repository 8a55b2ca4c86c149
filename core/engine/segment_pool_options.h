// How a SegmentPool is set up, and what it is asked for.
//
// Plain values.
#ifndef WARMPOOL_CORE_ENGINE_SEGMENT_POOL_OPTIONS_H_
#define WARMPOOL_CORE_ENGINE_SEGMENT_POOL_OPTIONS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/time/time.h"
#include "core/engine/bigcache.h"
#include "core/engine/stock.h"
#include "core/engine/uid_quota.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/size_class.h"

namespace warmpool {

struct SegmentPoolOptions {
  // Bytes of all segments together, in whatever state.
  uint64_t capacity_bytes = UINT64_MAX;
  // The largest request allowed.
  size_t max_segment_bytes = SizeClasses::kDefaultMaxBytes;
  // Bytes that the source's own files take.
  uint64_t overhead_bytes = 0;
  // For how long a client may take a leftover out of quarantine.
  absl::Duration leftover_grace = absl::Seconds(60);
  // For how long the proof of a released segment may be put off, unless it is
  // leased again. Zero: it is proven as it comes back. Until then a segment
  // that is still in use counts as retained, though no lease gets it.
  absl::Duration prove_within = absl::ZeroDuration();
  BigCache::Options bigcache;
  UnmapBatch::Options batch;
  // None by default: somebody has to call MakeStock.
  Stock::Options stock;
  // Where segments count that processes may have though they are no lease's;
  // whoever leases has their bytes counted before, and no more once they are
  // returned or freed. Must outlive the pool. Null: nothing is counted.
  UidQuota* quota = nullptr;
  // Called, under no lock, when MakeStock may find something to make.
  std::function<void()> on_stock_wanted;
  // Called, under no lock, when Tick has something to do earlier than the last
  // Tick said.
  std::function<void()> on_due_earlier;
};

struct AcquireRequest {
  uid_t owner = 0;
  uint64_t bytes = 0;
  // Old bytes are not acceptable.
  bool require_zeroed = false;
  // No memory is made, and no room. NOT_FOUND otherwise; such a miss is not
  // counted, as the same request is expected again without this.
  bool if_ready = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_SEGMENT_POOL_OPTIONS_H_
