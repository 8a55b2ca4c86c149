// What a SegmentPool tells of itself.
#include <algorithm>

#include "core/engine/segment_pool.h"

namespace warmpool {

SegmentPool::AcquireCounts& SegmentPool::AcquireCounts::operator+=(
    const AcquireCounts& other) {
  warm += other.warm;
  stock += other.stock;
  fresh += other.fresh;
  misses_zeroed += other.misses_zeroed;
  failed_proofs += other.failed_proofs;
  return *this;
}

SegmentPool::AcquireCounts& SegmentPool::AcquireCountsLocked(
    SizeClass size_class) {
  if (size_class.index >= acquire_counts_.size()) {
    acquire_counts_.resize(size_class.index + 1);
  }
  return acquire_counts_[size_class.index];
}

std::vector<SegmentPool::ClassStats> SegmentPool::ClassStatsLocked() const {
  const std::vector<BigCache::Counts>& bigcache = bigcache_.class_counts();
  const std::vector<BigCache::Occupancy> rings = bigcache_.ClassOccupancy();
  std::vector<ClassStats> all;
  for (uint32_t index = 0; index < size_classes_.count(); ++index) {
    const SizeClass size_class{index};
    ClassStats stats;
    stats.segment_bytes = size_classes_.Bytes(size_class);
    uint64_t bytes = 0;
    for (size_t i = 0; i < kByteStateCount; ++i) {
      stats.bytes[i] = ledger_.in(static_cast<ByteState>(i), size_class);
      bytes += stats.bytes[i];
    }
    if (index < acquire_counts_.size()) stats.acquired = acquire_counts_[index];
    if (index < bigcache.size()) stats.bigcache = bigcache[index];
    if (index < rings.size()) stats.rings = rings[index];
    const bool was_used = bytes > 0 || stats.bigcache.retained > 0 ||
                          stats.bigcache.misses > 0 ||
                          stats.acquired.stock > 0 || stats.acquired.fresh > 0;
    if (was_used) all.push_back(std::move(stats));
  }
  return all;
}

SegmentPool::Stats SegmentPool::stats() const {
  Stats stats;
  {
    MutexLock lock(&mutex_);
    stats.ledger = ledger_;
    stats.bigcache = bigcache_.counts();
    stats.retained_segments = bigcache_.retained_segments() + unproven_.size();
    for (const AcquireCounts& counts : acquire_counts_) {
      stats.acquired += counts;
    }
    stats.stock_segments = stock_.size();
    stats.classes = ClassStatsLocked();
    stats.quarantined_segments =
        quarantine_.size() + quarantine_.probing().segments();
    stats.failed_set_asides = failed_set_asides_;
  }
  stats.batch = batch_.counts();
  stats.make_latency = make_latency_.Take();
  stats.make_room_latency = make_room_latency_.Take();
  stats.flush_latency = batch_.flush_latency().Take();
  return stats;
}

}  // namespace warmpool
