#include "server/stats.h"

#include <string>

namespace warmpool {
namespace {

v1::HugePageMethod ToProto(HugePages::Method method) {
  switch (method) {
    case HugePages::Method::kNone:
      return v1::HUGE_PAGE_METHOD_NONE;
    case HugePages::Method::kCollapse:
      return v1::HUGE_PAGE_METHOD_COLLAPSE;
    case HugePages::Method::kMount:
      return v1::HUGE_PAGE_METHOD_MOUNT;
  }
  return v1::HUGE_PAGE_METHOD_UNSPECIFIED;
}

void FillBytes(const ByteLedger& ledger, v1::ByteAccount* bytes) {
  bytes->set_capacity_bytes(ledger.capacity());
  bytes->set_leased_bytes(ledger.in(ByteState::kLeased));
  bytes->set_retained_bytes(ledger.in(ByteState::kRetained));
  bytes->set_batched_bytes(ledger.in(ByteState::kBatched));
  bytes->set_stock_bytes(ledger.in(ByteState::kStock));
  bytes->set_quarantined_bytes(ledger.in(ByteState::kQuarantined));
  bytes->set_overhead_bytes(ledger.in(ByteState::kOverhead));
  bytes->set_free_bytes(ledger.free());
}

void FillLeases(const Pool::Stats& stats, v1::LeaseCounts* leases) {
  leases->set_live_leases(stats.live_leases);
  leases->set_live_buffers(stats.live_buffers);
  leases->set_holders(stats.holders);
  leases->set_granted_warm(stats.segments.acquired_warm);
  leases->set_granted_stock(stats.segments.acquired_stock);
  leases->set_granted_fresh(stats.segments.acquired_fresh);
  leases->set_granted_attached(stats.granted_attached);
  leases->set_replayed(stats.replayed);
  leases->set_refused_invalid(stats.refused_invalid);
  leases->set_refused_exhausted(stats.refused_exhausted);
  leases->set_refused_name_taken(stats.refused_name_taken);
  leases->set_refused_draining(stats.refused_draining);
  leases->set_refused_other(stats.refused_other);
  leases->set_released(stats.released);
  leases->set_expired(stats.expired);
  leases->set_revoked(stats.revoked);
  leases->set_holder_died(stats.holder_died);
  leases->set_unused(stats.unused);
  leases->set_renewed(stats.renewed);
  leases->set_recovered(stats.recovered);
  leases->set_asserted(stats.asserted);
  leases->set_recovering_leases(stats.recovering_leases);
  leases->set_failed_journal_writes(stats.failed_journal_writes);
  leases->set_journal_waits(stats.journal_waits);
  leases->set_handed_over(stats.handed_over);
  leases->set_sealed(stats.sealed);
  leases->set_tickets(stats.tickets);
  leases->set_claimed(stats.claimed);
  leases->set_lingered(stats.lingered);
  leases->set_waiting_attaches(stats.waiting);
}

void FillBigCache(const SegmentPool::Stats& stats,
                  v1::BigCacheCounts* bigcache) {
  const BigCache::Counts& counts = stats.bigcache;
  const auto evicted = [&counts](EvictionReason reason) {
    return counts.evictions[static_cast<size_t>(reason)];
  };
  bigcache->set_hits(counts.hits);
  bigcache->set_misses_empty(counts.misses);
  bigcache->set_misses_zeroed(stats.misses_zeroed);
  bigcache->set_failed_proofs(stats.failed_proofs);
  bigcache->set_retained_segments(stats.retained_segments);
  bigcache->set_retained_total(counts.retained);
  bigcache->set_evictions(counts.evictions_total());
  bigcache->set_evicted_ring_full(evicted(EvictionReason::kRingFull));
  bigcache->set_evicted_byte_cap(evicted(EvictionReason::kByteCap));
  bigcache->set_evicted_decayed(evicted(EvictionReason::kDecayed));
  bigcache->set_evicted_for_room(evicted(EvictionReason::kForRoom));
  bigcache->set_evicted_drained(evicted(EvictionReason::kDrained));
  bigcache->set_evicted_pressure(evicted(EvictionReason::kPressure));
}

void FillQuarantine(const SegmentPool::Stats& stats,
                    v1::QuarantineCounts* quarantine) {
  quarantine->set_quarantined_segments(stats.quarantined_segments);
  quarantine->set_failed_set_asides(stats.failed_set_asides);
}

void FillBatch(const UnmapBatch::Counts& counts, v1::BatchCounts* batch) {
  batch->set_blocks_added(counts.blocks_added);
  batch->set_bytes_added(counts.bytes_added);
  batch->set_crossings(counts.crossings);
  batch->set_flushes(counts.flushes);
  batch->set_blocks_flushed(counts.blocks_flushed);
  batch->set_largest_flush_blocks(counts.largest_flush_blocks);
  batch->set_small_blocks_ended(counts.small_blocks_ended);
  batch->set_blocks_waiting(counts.blocks_waiting);
  batch->set_failed_calls(counts.failed_calls);
}

}  // namespace

void FillHugePages(const SegmentDirectory& directory,
                   v1::HugePageCounts* huge_pages) {
  huge_pages->set_method(ToProto(directory.huge_page_method()));
  huge_pages->set_reason(
      std::string(directory.huge_page_support().message()));
  const SegmentDirectory::HugePageCounts counts = directory.huge_page_counts();
  huge_pages->set_huge_segments(counts.huge_segments);
  huge_pages->set_small_segments(counts.small_segments);
}

void FillMemoryPressure(const MemoryPressure::Counts& counts,
                        v1::MemoryPressureCounts* pressure) {
  pressure->set_source(counts.told_by_kernel
                           ? v1::MEMORY_PRESSURE_SOURCE_PSI
                           : v1::MEMORY_PRESSURE_SOURCE_ROOM);
  pressure->set_events(counts.events);
  pressure->set_ended_bytes(counts.ended_bytes);
}

void FillStats(const Pool::Stats& stats, const SystemCalls& calls,
               v1::GetStatsResponse* response) {
  response->set_draining(stats.draining);
  FillBytes(stats.segments.ledger, response->mutable_bytes());
  FillLeases(stats, response->mutable_leases());
  FillBigCache(stats.segments, response->mutable_bigcache());
  FillQuarantine(stats.segments, response->mutable_quarantine());
  FillBatch(stats.segments.batch, response->mutable_batch());
  for (size_t i = 0; i < SystemCalls::kCallCount; ++i) {
    const auto call = static_cast<SystemCalls::Call>(i);
    v1::SystemCallCount* const count = response->add_system_calls();
    count->set_name(SystemCalls::Name(call));
    count->set_count(calls.Count(call));
  }
}

}  // namespace warmpool
