// Leases asked for ahead of need.
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "client/cache/lease_cache.h"

namespace warmpool {

void LeaseCache::RecordMissLocked(SizeClass size_class, absl::Time now) {
  ++misses_;
  if (!options_.prefetch || !options_.renewed || shut_) return;
  prefetch_.Missed(size_class, now);
  if (prefetch_.due() == absl::InfiniteFuture()) return;
  if (options_.own_thread) ticker_.Start();
  ticker_.CallBy(prefetch_.due());
}

void LeaseCache::LeaseAhead() {
  std::vector<Prefetch::Wish> wishes;
  {
    MutexLock lock(&mutex_);
    // Whoever asks for memory goes first, and what has missed is forgotten.
    if (shut_ || trim_wanted_.has_value()) return;
    wishes = prefetch_.Take(clock_.Now(), idle_.room_bytes());
  }
  for (const Prefetch::Wish& wish : wishes) {
    {
      MutexLock lock(&mutex_);
      if (shut_ || trim_wanted_.has_value()) return;
    }
    std::vector<std::unique_ptr<MappedLease>> leases;
    for (HeldLease& held :
         source_->LeaseAhead(classes_.Bytes(wish.size_class), wish.count)) {
      absl::StatusOr<std::unique_ptr<MappedLease>> lease =
          options_.map(std::move(held));
      if (lease.ok()) leases.push_back(*std::move(lease));
    }
    KeepAhead(std::move(leases));
  }
}

void LeaseCache::KeepAhead(std::vector<std::unique_ptr<MappedLease>> leases) {
  if (leases.empty()) return;
  std::vector<std::unique_ptr<MappedLease>> unfit;
  Surplus surplus;
  absl::Time now;
  {
    MutexLock lock(&mutex_);
    now = clock_.Now();
    if (!shut_ && !idle_.awake()) WakeLocked(now);
    for (std::unique_ptr<MappedLease>& lease : leases) {
      if (shut_ || !IsFit(*lease)) {
        unfit.push_back(std::move(lease));
        continue;
      }
      prefetch_.Granted();
      lease->ahead = true;
      lease->cache = shared_from_this();
      idle_.PutNew(lease.release(), now, &surplus);
    }
  }
  for (const std::unique_ptr<MappedLease>& lease : unfit) lease->EndLater();
  End(std::move(surplus), now);
}

void LeaseCache::RecordUnusedLocked(const Surplus& surplus) {
  for (const Eviction& eviction : surplus) {
    const MappedLease& lease = *MappedLease::Of(eviction.segment);
    if (!lease.ahead || lease.reused) continue;
    prefetch_.Unused(lease.size_class());
  }
}

}  // namespace warmpool
