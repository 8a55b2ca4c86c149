// What a SegmentPool reports of itself.
//
// Plain values.
#ifndef WARMPOOL_CORE_ENGINE_SEGMENT_POOL_STATS_H_
#define WARMPOOL_CORE_ENGINE_SEGMENT_POOL_STATS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/latency_histogram.h"
#include "core/engine/bigcache.h"
#include "core/engine/byte_ledger.h"
#include "core/engine/unmap_batch.h"

namespace warmpool {

// Of the requests for one size class.
struct AcquireCounts {
  uint64_t warm = 0;
  uint64_t stock = 0;
  uint64_t fresh = 0;
  // Those that BigCache was not asked for.
  uint64_t misses_zeroed = 0;
  // Retained or stocked segments that failed the proof at their lease or their
  // end.
  uint64_t failed_proofs = 0;

  AcquireCounts& operator+=(const AcquireCounts& other) {
    warm += other.warm;
    stock += other.stock;
    fresh += other.fresh;
    misses_zeroed += other.misses_zeroed;
    failed_proofs += other.failed_proofs;
    return *this;
  }
};

struct SegmentClassStats {
  size_t segment_bytes = 0;
  std::array<uint64_t, kByteStateCount> bytes{};
  AcquireCounts acquired;
  BigCache::Counts bigcache;
  BigCache::Occupancy rings;
};

struct SegmentPoolStats {
  ByteLedger ledger{0};
  BigCache::Counts bigcache;
  size_t retained_segments = 0;
  UnmapBatch::Counts batch;
  AcquireCounts acquired;
  size_t stock_segments = 0;
  // Those size classes that there was anything of, the smallest first.
  std::vector<SegmentClassStats> classes;
  // How long it took to make a segment for a lease, with its pages; to free
  // what had to make room for one; and to free a batch.
  LatencyHistogram::Snapshot make_latency;
  LatencyHistogram::Snapshot make_room_latency;
  LatencyHistogram::Snapshot flush_latency;
  size_t quarantined_segments = 0;
  // Attempts to set a quarantined segment aside that failed: it stays
  // quarantined where it is.
  uint64_t failed_set_asides = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_SEGMENT_POOL_STATS_H_
