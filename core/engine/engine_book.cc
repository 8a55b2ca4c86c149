#include "core/engine/engine_book.h"

#include <utility>

#include "core/base/check.h"

namespace warmpool {

EngineBook::EngineBook(const SegmentPoolOptions& options)
    : size_classes(options.max_segment_bytes),
      max_retained_bytes(options.bigcache.max_bytes),
      ledger(options.capacity_bytes),
      bigcache(options.bigcache),
      unproven(options.prove_within),
      stock(options.stock) {
  ledger.EnterOverhead(options.overhead_bytes);
}

void EngineBook::Move(ByteState from, ByteState to, const Segment& segment) {
  ledger.Move(from, to, segment.size_class(), segment.bytes());
}

std::vector<Segment> EngineBook::AccountEvicted(std::vector<Eviction> evicted) {
  std::vector<Segment> cold;
  cold.reserve(evicted.size());
  for (Eviction& eviction : evicted) {
    cold.push_back(std::move(eviction.segment));
  }
  AccountCold(ByteState::kRetained, cold);
  return cold;
}

void EngineBook::AccountCold(ByteState from, const std::vector<Segment>& cold) {
  for (const Segment& segment : cold) Move(from, ByteState::kBatched, segment);
}

bool EngineBook::IsCrowded(const Segment& segment, absl::Time now) {
  return ledger.in(ByteState::kRetained) + segment.bytes() >
             max_retained_bytes ||
         unproven.CountOf(segment.owner(), segment.size_class()) >=
             bigcache.SlotsLeft(segment.owner(), segment.size_class(), now);
}

AcquireCounts& EngineBook::CountsOf(SizeClass size_class) {
  if (size_class.index >= acquire_counts.size()) {
    acquire_counts.resize(size_class.index + 1);
  }
  return acquire_counts[size_class.index];
}

void EngineBook::RecordReturn() {
  ++returns;
  returned_condition.NotifyAll();
}

std::vector<SegmentClassStats> EngineBook::ClassStats() const {
  const std::vector<BigCache::Counts>& bigcache_counts =
      bigcache.class_counts();
  const std::vector<BigCache::Occupancy> rings = bigcache.ClassOccupancy();
  std::vector<SegmentClassStats> all;
  for (uint32_t index = 0; index < size_classes.count(); ++index) {
    const SizeClass size_class{index};
    SegmentClassStats stats;
    stats.segment_bytes = size_classes.Bytes(size_class);
    uint64_t bytes = 0;
    for (size_t i = 0; i < kByteStateCount; ++i) {
      stats.bytes[i] = ledger.in(static_cast<ByteState>(i), size_class);
      bytes += stats.bytes[i];
    }
    if (index < acquire_counts.size()) stats.acquired = acquire_counts[index];
    if (index < bigcache_counts.size()) stats.bigcache = bigcache_counts[index];
    if (index < rings.size()) stats.rings = rings[index];
    const bool was_used = bytes > 0 || stats.bigcache.retained > 0 ||
                          stats.bigcache.misses > 0 ||
                          stats.acquired.stock > 0 || stats.acquired.fresh > 0;
    if (was_used) all.push_back(std::move(stats));
  }
  return all;
}

uint64_t EngineBook::kept_bytes() const {
  MutexLock lock(&mutex);
  return ledger.in(ByteState::kStock) + ledger.in(ByteState::kRetained) +
         ledger.in(ByteState::kBatched);
}

SegmentPoolStats EngineBook::stats() const {
  MutexLock lock(&mutex);
  SegmentPoolStats stats;
  stats.ledger = ledger;
  stats.bigcache = bigcache.counts();
  stats.retained_segments = bigcache.retained_segments() + unproven.size();
  for (const AcquireCounts& counts : acquire_counts) stats.acquired += counts;
  stats.stock_segments = stock.size();
  stats.classes = ClassStats();
  stats.quarantined_segments =
      quarantine.size() + quarantine.probing().segments();
  stats.failed_set_asides = failed_set_asides;
  return stats;
}

void EngineBook::CheckInvariants() const {
  MutexLock lock(&mutex);
  bigcache.CheckInvariants();
  unproven.CheckInvariants();
  WARMPOOL_CHECK(ledger.in(ByteState::kRetained) ==
                     bigcache.retained_bytes() + unproven.bytes(),
                 "the ledger and BigCache disagree");
  stock.CheckInvariants();
  WARMPOOL_CHECK(
      ledger.in(ByteState::kStock) == stock.bytes() + stock.ordered_bytes(),
      "the ledger and Stock disagree");
  quarantine.CheckInvariants();
  WARMPOOL_CHECK(ledger.in(ByteState::kQuarantined) ==
                     quarantine.bytes() + quarantine.probing().bytes(),
                 "the ledger and Quarantine disagree");
}

}  // namespace warmpool
