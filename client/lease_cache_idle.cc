// What becomes of leases that nobody takes: time, trims and the end.
#include <algorithm>
#include <utility>

#include "client/lease_cache.h"

namespace warmpool {
namespace {

uint64_t BytesOf(const std::vector<Eviction>& evicted) {
  uint64_t bytes = 0;
  for (const Eviction& eviction : evicted) bytes += eviction.segment.bytes();
  return bytes;
}

}  // namespace

void LeaseCache::Trim(uint64_t wanted_bytes) {
  if (fork_.Forked()) return;
  Surplus surplus;
  absl::Time now;
  {
    MutexLock lock(&mutex_);
    now = clock_.Now();
    TrimLocked(wanted_bytes, now, &surplus);
  }
  End(std::move(surplus), now);
  if (UnmapBatch* const batch = this->batch()) batch->Flush();
}

void LeaseCache::TrimSoon(uint64_t wanted_bytes) {
  if (fork_.Forked()) return;
  {
    MutexLock lock(&mutex_);
    if (!awake_) return;
    const uint64_t wanted = wanted_bytes == 0 ? UINT64_MAX : wanted_bytes;
    trim_wanted_ = std::max(trim_wanted_.value_or(0), wanted);
  }
  ticker_.CallBy(clock_.Now());
}

bool LeaseCache::ReleaseAll() {
  if (fork_.Forked()) return false;
  Surplus all;
  UnmapBatch* batch = nullptr;
  {
    MutexLock lock(&mutex_);
    batch = batch_.get();
    if (batch == nullptr) return false;
    TrimLocked(/*wanted_bytes=*/0, clock_.Now(), &all);
  }
  const bool any = !all.empty() || batch->counts().blocks_waiting > 0;
  batch->Flush();
  released_.fetch_add(all.size(), std::memory_order_relaxed);
  for (Eviction& eviction : all) {
    const std::unique_ptr<MappedLease> lease(MappedLease::Of(eviction.segment));
    lease->segment = std::move(eviction.segment);
    lease->End().IgnoreError();
  }
  return any;
}

void LeaseCache::Shut() {
  if (fork_.Forked()) return;
  Surplus surplus;
  absl::Time now;
  {
    MutexLock lock(&mutex_);
    if (shut_) return;
    shut_ = true;
    awake_ = false;
    now = clock_.Now();
    tier_.Close([&](MappedLease* lease) ABSL_NO_THREAD_SAFETY_ANALYSIS {
      RetainLocked(lease, now, &surplus);
    });
    bigcache_.EvictAll(&surplus);
  }
  ticker_.Stop();
  End(std::move(surplus), now);
  if (UnmapBatch* const batch = this->batch()) batch->Flush();
}

absl::Time LeaseCache::Tick() {
  Surplus surplus;
  std::optional<v1::IdleReport> report;
  absl::Time next;
  absl::Time now;
  bool trimmed = false;
  {
    MutexLock lock(&mutex_);
    now = clock_.Now();
    if (shut_ || batch_ == nullptr) return absl::InfiniteFuture();
    if (trim_wanted_.has_value()) {
      TrimLocked(*std::exchange(trim_wanted_, std::nullopt), now, &surplus);
      trimmed = true;
    }
    if (now >= next_sweep_) {
      SweepLocked(/*all=*/false, now, &surplus);
      bigcache_.EvictIf(
          [](const Segment& segment) {
            return MappedLease::Of(segment)->has_ended();
          },
          &surplus);
      next_sweep_ = now + sweep_every_;
    }
    next = bigcache_.EvictDecayed(now, &surplus);
    absl::Time next_report;
    report = reporter_.Take(IdleLocked(), now, &next_report);
    if (awake_) RestLocked(now, &surplus);
    if (awake_) next = std::min({next, next_sweep_, next_report});
  }
  if (report.has_value()) source_->ReportIdle(*report);
  End(std::move(surplus), now);
  UnmapBatch* const batch = this->batch();
  if (trimmed) batch->Flush();
  return std::min(next, batch->HandOverAged(now));
}

void LeaseCache::WakeLocked(absl::Time now) {
  awake_ = true;
  if (batch_ == nullptr) {
    batch_ = std::make_unique<UnmapBatch>(
        &calls_,
        UnmapBatch::Options{
            .drain = options_.own_thread ? UnmapBatch::Drain::kThread
                                         : UnmapBatch::Drain::kInline,
            .max_age = kMaxBatchAge},
        [this](absl::Span<const Segment> ended) { OnEnded(ended); });
  }
  tier_.Open();
  if (options_.own_thread) ticker_.Start();
  next_sweep_ = now + sweep_every_;
  ticker_.CallBy(next_sweep_);
}

void LeaseCache::RestLocked(absl::Time now, Surplus* surplus) {
  if (IdleLocked().idle_leases() > 0 || reporter_.told_bytes() > 0) return;
  tier_.Close([&](MappedLease* lease) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    RetainLocked(lease, now, surplus);
  });
  // A lease may have come just before the tier was closed.
  awake_ = bigcache_.retained_segments() > 0;
  if (awake_) tier_.Open();
}

void LeaseCache::SweepLocked(bool all, absl::Time now, Surplus* surplus) {
  tier_.Sweep(all, [&](MappedLease* lease) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    RetainLocked(lease, now, surplus);
  });
}

void LeaseCache::TrimLocked(uint64_t wanted_bytes, absl::Time now,
                            Surplus* surplus) {
  ++trims_;
  const uint64_t wanted = wanted_bytes == 0 ? UINT64_MAX : wanted_bytes;
  bigcache_.EvictForRoom(wanted, surplus);
  if (BytesOf(*surplus) >= wanted) return;
  SweepLocked(/*all=*/true, now, surplus);
  bigcache_.EvictForRoom(wanted - std::min(wanted, BytesOf(*surplus)), surplus);
}

void LeaseCache::End(Surplus surplus, absl::Time now) {
  if (surplus.empty()) return;
  UnmapBatch* const batch = this->batch();
  for (Eviction& eviction : surplus) batch->Add(std::move(eviction.segment), now);
  bool shut = false;
  {
    MutexLock lock(&mutex_);
    shut = shut_;
  }
  // Shut may have flushed before, and nobody ticks any more.
  if (shut) return batch->Flush();
  ticker_.CallBy(now + kMaxBatchAge);
}

void LeaseCache::OnEnded(absl::Span<const Segment> ended) {
  std::vector<v1::LeaseRef> refs;
  refs.reserve(ended.size());
  for (const Segment& segment : ended) refs.push_back(MappedLease::Of(segment)->ref());
  source_->ReleaseLater(refs);
  released_.fetch_add(ended.size(), std::memory_order_relaxed);
  for (const Segment& segment : ended) delete MappedLease::Of(segment);
}

UnmapBatch* LeaseCache::batch() const {
  MutexLock lock(&mutex_);
  return batch_.get();
}

}  // namespace warmpool
