#include "server/stats/stats.h"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "server/log/daemon_log.h"
#include "server/stats/histogram.h"
#include "server/wire/conversion.h"

namespace warmpool {
namespace {

v1::HugePageMethod MethodToProto(HugePages::Method method) {
  switch (method) {
    case HugePages::Method::kNone: return v1::HUGE_PAGE_METHOD_NONE;
    case HugePages::Method::kCollapse: return v1::HUGE_PAGE_METHOD_COLLAPSE;
    case HugePages::Method::kMount: return v1::HUGE_PAGE_METHOD_MOUNT;
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
  leases->set_granted_warm(stats.segments.acquired.warm);
  leases->set_granted_stock(stats.segments.acquired.stock);
  leases->set_granted_fresh(stats.segments.acquired.fresh);
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
  leases->set_unclaimed(stats.unclaimed);
  leases->set_linger_ended(stats.linger_ended);
  leases->set_live_tickets(stats.live_tickets.leases);
  leases->set_ticket_bytes(stats.live_tickets.bytes);
  leases->set_live_lingering(stats.live_lingering.leases);
  leases->set_lingering_bytes(stats.live_lingering.bytes);
}

void FillBigCache(const BigCache::Counts& counts,
                  const SegmentPool::AcquireCounts& acquired,
                  size_t retained_segments, v1::BigCacheCounts* bigcache) {
  const auto evicted = [&counts](EvictionReason reason) {
    return counts.evictions[static_cast<size_t>(reason)];
  };
  bigcache->set_hits(counts.hits);
  bigcache->set_misses_empty(counts.misses);
  bigcache->set_misses_zeroed(acquired.misses_zeroed);
  bigcache->set_failed_proofs(acquired.failed_proofs);
  bigcache->set_retained_segments(retained_segments);
  bigcache->set_retained_total(counts.retained);
  bigcache->set_evictions(counts.evictions_total());
  bigcache->set_evicted_ring_full(evicted(EvictionReason::kRingFull));
  bigcache->set_evicted_byte_cap(evicted(EvictionReason::kByteCap));
  bigcache->set_evicted_decayed(evicted(EvictionReason::kDecayed));
  bigcache->set_evicted_for_room(evicted(EvictionReason::kForRoom));
  bigcache->set_evicted_drained(evicted(EvictionReason::kDrained));
  bigcache->set_evicted_pressure(evicted(EvictionReason::kPressure));
  bigcache->set_evicted_trimmed(evicted(EvictionReason::kTrimmed));
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
  for (size_t i = 0; i < counts.flush_sizes.size(); ++i) {
    v1::BatchCounts::FlushSize* const size = batch->add_flush_sizes();
    size->set_upper_bound_blocks(i + 1 < counts.flush_sizes.size()
                                     ? uint64_t{1} << i
                                     : std::numeric_limits<uint64_t>::max());
    size->set_flushes(counts.flush_sizes[i]);
  }
}

void FillSizeClasses(const SegmentPool::Stats& stats,
                     const SessionHub::IdleByClass& idle,
                     v1::GetStatsResponse* response) {
  for (const SegmentPool::ClassStats& from : stats.classes) {
    v1::SizeClassStats& to = *response->add_size_classes();
    const auto bytes_in = [&from](ByteState state) {
      return from.bytes[static_cast<size_t>(state)];
    };
    to.set_segment_bytes(from.segment_bytes);
    to.set_leased_bytes(bytes_in(ByteState::kLeased));
    to.set_retained_bytes(bytes_in(ByteState::kRetained));
    to.set_batched_bytes(bytes_in(ByteState::kBatched));
    to.set_stock_bytes(bytes_in(ByteState::kStock));
    to.set_quarantined_bytes(bytes_in(ByteState::kQuarantined));
    const auto it = idle.find(from.segment_bytes);
    if (it != idle.end()) {
      // A report may be older than the release of what it tells of.
      to.set_idle_in_clients_bytes(std::min(it->second, to.leased_bytes()));
    }
    to.set_granted_warm(from.acquired.warm);
    to.set_granted_stock(from.acquired.stock);
    to.set_granted_fresh(from.acquired.fresh);
    FillBigCache(from.bigcache, from.acquired, from.rings.segments,
                 to.mutable_bigcache());
    to.set_ring_slots(from.rings.slots);
  }
}

void FillSteps(const SegmentPool::Stats& stats,
               v1::GetStatsResponse* response) {
  const std::pair<v1::StepStats::Step, const LatencyHistogram::Snapshot&>
      steps[] = {{v1::StepStats::STEP_MAKE, stats.make_latency},
                 {v1::StepStats::STEP_MAKE_ROOM, stats.make_room_latency},
                 {v1::StepStats::STEP_FLUSH, stats.flush_latency}};
  for (const auto& [step, latency] : steps) {
    v1::StepStats& added = *response->add_steps();
    added.set_step(step);
    *added.mutable_latency() = ToProto(latency);
  }
}

void FillSystemCalls(const SystemCalls& calls, v1::GetStatsResponse* response) {
  for (size_t i = 0; i < SystemCalls::kCallCount; ++i) {
    const auto call = static_cast<SystemCalls::Call>(i);
    v1::SystemCallCount* const count = response->add_system_calls();
    count->set_name(SystemCalls::Name(call));
    count->set_count(calls.Count(call));
    const LatencyHistogram* const latency = calls.Latency(call);
    if (latency != nullptr)
      *count->mutable_latency() = ToProto(latency->Take());
  }
}

void FillHugePages(const SegmentDirectory& directory,
                   v1::HugePageCounts* huge_pages) {
  huge_pages->set_method(MethodToProto(directory.huge_page_method()));
  huge_pages->set_reason(std::string(directory.huge_page_support().message()));
  const SegmentDirectory::HugePageCounts counts = directory.huge_page_counts();
  huge_pages->set_huge_segments(counts.huge_segments);
  huge_pages->set_small_segments(counts.small_segments);
}

void FillMemoryPressure(const MemoryPressure::Counts& counts,
                        v1::MemoryPressureCounts* pressure) {
  pressure->set_source(counts.told_by_kernel ? v1::MEMORY_PRESSURE_SOURCE_PSI
                                             : v1::MEMORY_PRESSURE_SOURCE_ROOM);
  pressure->set_events(counts.events);
  pressure->set_ended_bytes(counts.ended_bytes);
}

}  // namespace

v1::Refusal ToProto(const Refusal& refusal) {
  v1::Refusal told;
  told.set_code(static_cast<int>(refusal.status.code()));
  *told.mutable_age() = ToProto(refusal.age);
  told.set_size_bytes(refusal.bytes);
  told.set_message(std::string(refusal.status.message()));
  told.set_pid(refusal.holder.pid);
  told.set_uid(refusal.holder.uid);
  told.set_command(refusal.holder.command);
  return told;
}

void HideProcesses(v1::GetStatsResponse* stats) {
  stats->clear_refusals();
  if (!stats->has_last_refusal()) return;
  v1::Refusal& refusal = *stats->mutable_last_refusal();
  refusal.clear_message();
  refusal.clear_pid();
  refusal.clear_uid();
  refusal.clear_command();
}

void ShowRefusalOf(const std::optional<Refusal>& own,
                   v1::GetStatsResponse* stats) {
  stats->clear_refusals();
  stats->clear_last_refusal();
  if (own.has_value()) *stats->mutable_last_refusal() = ToProto(*own);
}

StatsSource::StatsSource(const Deps& deps)
    : deps_(deps), started_at_(deps.clock->Now()), recent_(deps.clock, [this] {
        // What is recorded from here on is not in this snapshot.
        deps_.rpcs->Rearm();
        v1::GetStatsResponse stats;
        FillCounts(&stats);
        return stats;
      }) {}

void StatsSource::FillCounts(v1::GetStatsResponse* response) const {
  const Pool::Stats stats = deps_.pool->stats();
  response->set_draining(stats.draining);
  FillBytes(stats.segments.ledger, response->mutable_bytes());
  FillLeases(stats, response->mutable_leases());
  FillBigCache(stats.segments.bigcache, stats.segments.acquired,
               stats.segments.retained_segments, response->mutable_bigcache());
  FillQuarantine(stats.segments, response->mutable_quarantine());
  FillBatch(stats.segments.batch, response->mutable_batch());
  FillSizeClasses(stats.segments, deps_.sessions->idle_by_class(), response);
  FillSteps(stats.segments, response);
  FillSystemCalls(*deps_.calls, response);
  FillHugePages(*deps_.directory, response->mutable_huge_pages());
  FillMemoryPressure(deps_.memory_pressure->counts(),
                     response->mutable_memory_pressure());
  deps_.rpcs->Fill(response->mutable_rpcs());
  for (const Refusal& refusal : stats.last_refusals) {
    *response->add_refusals() = ToProto(refusal);
  }
  if (response->refusals_size() > 0) {
    *response->mutable_last_refusal() = response->refusals(0);
  }
}

void StatsSource::SetMetricsListen(std::string address) {
  MutexLock lock(&mutex_);
  metrics_listen_ = std::move(address);
}

void StatsSource::Fill(v1::GetStatsResponse* response) {
  FillCounts(response);
  const absl::Time now = deps_.clock->Now();
  response->set_pid(getpid());
  *response->mutable_uptime() = ToProto(now - started_at_);
  response->set_shm_dir(deps_.directory->path());
  *response->mutable_drain_timeout() = ToProto(deps_.drain_timeout);
  response->set_log_lines_dropped(LogLinesDropped());
  v1::ByteAccount& bytes = *response->mutable_bytes();
  bytes.set_filesystem_free_bytes(
      deps_.directory->FilesystemSpace().value_or(FilesystemBytes()).free);
  // A report may be older than the release of what it tells of.
  bytes.set_idle_in_clients_bytes(
      std::min<uint64_t>(deps_.sessions->idle_bytes(), bytes.leased_bytes()));
  {
    MutexLock lock(&mutex_);
    response->set_metrics_listen(metrics_listen_);
  }
  *response->mutable_recent() = recent_.Until(now, *response);
}

absl::Time StatsSource::Poll() { return recent_.Poll(); }

std::vector<v1::HolderUsage> StatsSource::Holders(
    absl::FunctionRef<bool(const Holder&)> shown) const {
  const SessionHub::IdleByHolder idle = deps_.sessions->idle_by_holder();
  std::vector<v1::HolderUsage> holders;
  for (const HolderUsage& usage : deps_.pool->HolderUsages()) {
    if (!shown(usage.holder)) continue;
    v1::HolderUsage& told = holders.emplace_back();
    told.set_pid(usage.holder.pid);
    told.set_uid(usage.holder.uid);
    told.set_command(usage.holder.command);
    told.set_not_recognisable(usage.holder.instance == 0);
    told.set_leases(usage.leases);
    told.set_leased_bytes(usage.bytes);
    const auto it = idle.find(usage.holder.id);
    if (it != idle.end())
      told.set_idle_bytes(std::min(it->second, usage.bytes));
  }
  std::sort(holders.begin(), holders.end(),
            [](const v1::HolderUsage& a, const v1::HolderUsage& b) {
              return std::make_tuple(b.leased_bytes(), a.pid()) <
                     std::make_tuple(a.leased_bytes(), b.pid());
            });
  return holders;
}

}  // namespace warmpool
