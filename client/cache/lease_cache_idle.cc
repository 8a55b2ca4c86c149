// What becomes of leases that nobody takes: time, trims and the end.
#include <algorithm>
#include <utility>

#include "client/cache/lease_cache.h"

namespace warmpool {

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
  return_.Flush();
}

void LeaseCache::TrimSoon(uint64_t wanted_bytes) {
  if (fork_.Forked()) return;
  {
    MutexLock lock(&mutex_);
    if (!idle_.awake()) return;
    const uint64_t wanted = wanted_bytes == 0 ? UINT64_MAX : wanted_bytes;
    trim_wanted_ = std::max(trim_wanted_.value_or(0), wanted);
  }
  ticker_.CallBy(clock_.Now());
}

bool LeaseCache::ReleaseAll() {
  if (fork_.Forked()) return false;
  Surplus all;
  absl::Time now;
  {
    MutexLock lock(&mutex_);
    now = clock_.Now();
    if (idle_.awake()) TrimLocked(/*wanted_bytes=*/0, now, &all);
    RecordUnusedLocked(all);
  }
  return return_.ReturnNow(std::move(all), now);
}

void LeaseCache::Shut() {
  if (fork_.Forked()) return;
  Surplus surplus;
  absl::Time now;
  {
    MutexLock lock(&mutex_);
    if (shut_) return;
    shut_ = true;
    now = clock_.Now();
    idle_.Shut(now, &surplus);
  }
  ticker_.Stop();
  End(std::move(surplus), now);
  return_.Flush();
}

absl::Time LeaseCache::Tick() {
  LeaseAhead();
  Surplus surplus;
  std::optional<v1::IdleReport> report;
  absl::Time next;
  absl::Time now;
  bool trimmed = false;
  {
    MutexLock lock(&mutex_);
    now = clock_.Now();
    if (shut_) return absl::InfiniteFuture();
    if (trim_wanted_.has_value()) {
      TrimLocked(*std::exchange(trim_wanted_, std::nullopt), now, &surplus);
      trimmed = true;
    }
    if (now >= next_sweep_) {
      idle_.Sweep(now, &surplus);
      next_sweep_ = now + sweep_every_;
    }
    next = std::min(idle_.EvictDecayed(now, &surplus), prefetch_.due());
    absl::Time next_report;
    report = reporter_.Take(idle_.Report(), now, &next_report);
    if (reporter_.told_bytes() == 0) idle_.Rest(now, &surplus);
    if (idle_.awake()) next = std::min({next, next_sweep_, next_report});
  }
  if (report.has_value()) source_->ReportIdle(*report);
  End(std::move(surplus), now);
  if (trimmed) return_.Flush();
  return std::min(next, return_.HandOverAged(now));
}

void LeaseCache::WakeLocked(absl::Time now) {
  idle_.Wake();
  if (options_.own_thread) ticker_.Start();
  next_sweep_ = now + sweep_every_;
  ticker_.CallBy(next_sweep_);
}

void LeaseCache::TrimLocked(uint64_t wanted_bytes, absl::Time now,
                            Surplus* surplus) {
  ++trims_;
  prefetch_.Forget();
  idle_.Trim(wanted_bytes, now, surplus);
}

void LeaseCache::End(Surplus surplus, absl::Time now) {
  if (surplus.empty()) return;
  {
    MutexLock lock(&mutex_);
    RecordUnusedLocked(surplus);
  }
  return_.Add(std::move(surplus), now);
  bool shut = false;
  {
    MutexLock lock(&mutex_);
    shut = shut_;
  }
  // Shut may have flushed before, and nobody ticks any more.
  if (shut) return return_.Flush();
  ticker_.CallBy(now + LeaseReturn::kMaxAge);
}

}  // namespace warmpool
