#include "client/cache/lease_cache.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"
#include "core/base/status_macros.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

bool LivesAsLongAsTheProcess(const v1::GrantedLease& granted) {
  return granted.ttl().seconds() == 0 && granted.ttl().nanos() == 0;
}

// The options with a function that maps.
LeaseCache::Options WithMap(LeaseCache::Options options,
                            std::shared_ptr<LeaseSource> source,
                            SystemCalls* calls) {
  if (options.map == nullptr) {
    options.map = [calls, source = std::move(source)](HeldLease held) {
      return MappedLease::Map(calls, source, std::move(held));
    };
  }
  return options;
}

}  // namespace

std::shared_ptr<LeaseCache> LeaseCache::Make(
    std::shared_ptr<LeaseSource> source, SystemCalls* calls, const Clock* clock,
    const Options& options) {
  return std::shared_ptr<LeaseCache>(
      new LeaseCache(std::move(source), calls, clock, options),
      [](LeaseCache* unused) {
        // What it owns can't be taken apart in a forked child, where its
        // threads don't run.
        if (!unused->forked()) delete unused;
      });
}

LeaseCache::LeaseCache(std::shared_ptr<LeaseSource> source, SystemCalls* calls,
                       const Clock* clock, const Options& options)
    : options_(WithMap(options, source, calls)),
      sweep_every_(std::max(options.idle, kMinIdle) / 4),
      fork_(ForkGuard::Get().Mark()),
      classes_(MappedLease::Classes()),
      source_(std::move(source)),
      calls_(*calls),
      clock_(*clock),
      tier_(IdleLeases::Tier::LimitsWithin(options.max_bytes / 2)),
      return_(source_, calls,
              options.own_thread ? UnmapBatch::Drain::kThread
                                 : UnmapBatch::Drain::kInline),
      // The tier keeps what lies idle for two sweeps at most.
      idle_(&tier_, options.max_bytes / 2, /*decay=*/2 * sweep_every_),
      prefetch_(&classes_),
      ticker_(clock, [this] { return Tick(); }) {}

LeaseCache::~LeaseCache() {
  MutexLock lock(&mutex_);
  WARMPOOL_CHECK(shut_, "LeaseCache destroyed before Shut");
}

MappedLease* LeaseCache::TakeSlowly(SizeClass size_class, MappedLease* ended) {
  Surplus surplus;
  MappedLease* lease = nullptr;
  absl::Time now;
  {
    MutexLock lock(&mutex_);
    now = clock_.Now();
    lease = idle_.Take(size_class, ended, now, &surplus);
    if (lease == nullptr) RecordMissLocked(size_class, now);
  }
  End(std::move(surplus), now);
  if (lease != nullptr) lease->reused = true;
  return lease;
}

absl::StatusOr<MappedLease*> LeaseCache::LeaseFromSource(uint64_t bytes) {
  absl::StatusOr<std::unique_ptr<MappedLease>> lease = AskSource(bytes);
  if (!lease.ok()) {
    Failed(bytes);
    return lease.status();
  }
  Adopt(lease->get());
  return lease->release();
}

absl::StatusOr<std::unique_ptr<MappedLease>> LeaseCache::AskSource(
    uint64_t bytes) {
  v1::LeaseRequest request;
  request.set_size_bytes(bytes);
  ASSIGN_OR_RETURN(HeldLease held, source_->Lease(std::move(request), [this] {
    return ReleaseAll();
  }));
  return options_.map(std::move(held));
}

void LeaseCache::Adopt(MappedLease* lease) {
  if (fork_.Forked()) return;
  if (IsFit(*lease)) {
    lease->cache = shared_from_this();
  } else {
    Failed(lease->granted.size_bytes());
  }
}

bool LeaseCache::IsFit(const MappedLease& lease) const {
  const absl::StatusOr<SizeClass> asked =
      classes_.For(lease.granted.size_bytes());
  return asked.ok() && *asked == lease.size_class() &&
         classes_.Bytes(*asked) == lease.bytes() &&
         lease.bytes() <= options_.max_bytes / 2 && lease.writable() &&
         (options_.renewed || LivesAsLongAsTheProcess(lease.granted));
}

void LeaseCache::Failed(uint64_t bytes) {
  if (fork_.Forked()) return;
  const absl::StatusOr<SizeClass> size_class = classes_.For(bytes);
  if (!size_class.ok()) return;
  MutexLock lock(&mutex_);
  idle_.RecordDropped(*size_class, clock_.Now());
}

bool LeaseCache::PutSlowly(MappedLease* lease) {
  // Before any lock: the fork may have come while it was held.
  if (fork_.Forked()) return false;
  // Once it is put, the lease does not keep this alive any more.
  const std::shared_ptr<LeaseCache> self = lease->cache;
  Surplus surplus;
  absl::Time now;
  {
    MutexLock lock(&mutex_);
    now = clock_.Now();
    if (shut_ || lease->shared.load(std::memory_order_relaxed) ||
        lease->has_ended()) {
      idle_.RecordDropped(lease->size_class(), now);
      return false;
    }
    if (!idle_.awake()) WakeLocked(now);
    idle_.Put(lease, now, &surplus);
  }
  End(std::move(surplus), now);
  return true;
}

LeaseCacheStats LeaseCache::stats() const {
  if (fork_.Forked()) return {};
  MutexLock lock(&mutex_);
  const v1::IdleReport idle = idle_.Report();
  return {.hits = idle_.hits(),
          .misses = misses_,
          .released_surplus = return_.returned(),
          .trims = trims_,
          .prefetched = prefetch_.counts().granted,
          .prefetched_unused = prefetch_.counts().unused,
          .idle_leases = idle.idle_leases(),
          .idle_bytes = idle.idle_bytes()};
}

void LeaseCache::CheckInvariants() const {
  MutexLock lock(&mutex_);
  idle_.CheckInvariants();
  prefetch_.CheckInvariants();
  return_.CheckInvariants();
  const uint64_t tier_bytes =
      tier_.Count([this](SizeClass c) { return classes_.Bytes(c); });
  WARMPOOL_CHECK(tier_bytes <= options_.max_bytes / 2,
                 "the tier is over its cap");
}

}  // namespace warmpool
