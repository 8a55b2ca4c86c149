#include "client/lease_cache.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace warmpool {
namespace {

bool LivesAsLongAsTheProcess(const v1::GrantedLease& granted) {
  return granted.ttl().seconds() == 0 && granted.ttl().nanos() == 0;
}

}  // namespace

std::shared_ptr<LeaseCache> LeaseCache::Make(
    std::shared_ptr<LeaseSource> source, SystemCalls* calls, const Clock* clock,
    const Options& options) {
  return std::shared_ptr<LeaseCache>(
      new LeaseCache(std::move(source), calls, clock, options),
      [](LeaseCache* unused) {
        // What it owns can't be taken apart in a forked child, where its threads
        // don't run.
        if (!unused->forked()) delete unused;
      });
}

LeaseCache::LeaseCache(std::shared_ptr<LeaseSource> source, SystemCalls* calls,
                       const Clock* clock, const Options& options)
    : options_(options),
      sweep_every_(std::max(options.idle, kMinIdle) / 4),
      fork_(ForkGuard::Get().Mark()),
      classes_(MappedLease::Classes()),
      source_(std::move(source)),
      calls_(*calls),
      clock_(*clock),
      tier_(ThreadTier<MappedLease>::LimitsWithin(options.max_bytes / 2)),
      // The tier keeps what lies idle for two sweeps at most.
      bigcache_({.max_bytes = options.max_bytes / 2, .decay = 2 * sweep_every_}),
      ticker_(clock, [this] { return Tick(); }) {
  tier_.Close([](MappedLease*) {});
}

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
    if (ended != nullptr) DropLocked(ended, now, &surplus);
    for (;;) {
      lease = tier_.Take(size_class);
      if (lease == nullptr) {
        std::optional<Segment> segment =
            bigcache_.Take(MappedLease::kOwner, size_class, now);
        if (!segment.has_value()) break;
        lease = MappedLease::Of(*segment);
        lease->segment = *std::move(segment);
      }
      if (!lease->has_ended()) break;
      DropLocked(lease, now, &surplus);
    }
    if (lease == nullptr) ++misses_;
    dropped_by_take_ += surplus.size();
  }
  End(std::move(surplus), now);
  if (lease != nullptr) lease->reused = true;
  return lease;
}

void LeaseCache::Adopt(MappedLease* lease) {
  if (fork_.Forked()) return;
  const absl::StatusOr<SizeClass> asked =
      classes_.For(lease->granted.size_bytes());
  if (asked.ok() && *asked == lease->size_class() &&
      classes_.Bytes(*asked) == lease->bytes() &&
      lease->bytes() <= options_.max_bytes / 2 && lease->writable() &&
      (options_.renewed || LivesAsLongAsTheProcess(lease->granted))) {
    lease->cache = shared_from_this();
  } else {
    Failed(lease->granted.size_bytes());
  }
}

void LeaseCache::Failed(uint64_t bytes) {
  if (fork_.Forked()) return;
  const absl::StatusOr<SizeClass> size_class = classes_.For(bytes);
  if (!size_class.ok()) return;
  MutexLock lock(&mutex_);
  bigcache_.NoteDropped(MappedLease::kOwner, *size_class, clock_.Now());
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
      bigcache_.NoteDropped(MappedLease::kOwner, lease->size_class(), now);
      return false;
    }
    if (!awake_) WakeLocked(now);
    if (!tier_.Put(lease)) RetainLocked(lease, now, &surplus);
  }
  End(std::move(surplus), now);
  return true;
}

LeaseCacheStats LeaseCache::stats() const {
  if (fork_.Forked()) return {};
  MutexLock lock(&mutex_);
  const v1::IdleReport idle = IdleLocked();
  return {.hits = tier_.taken() + bigcache_.counts().hits - dropped_by_take_,
          .misses = misses_,
          .released_surplus = released_.load(std::memory_order_relaxed),
          .trims = trims_,
          .idle_leases = idle.idle_leases(),
          .idle_bytes = idle.idle_bytes()};
}

void LeaseCache::RetainLocked(MappedLease* lease, absl::Time now,
                              Surplus* surplus) {
  if (lease->has_ended()) return DropLocked(lease, now, surplus);
  bigcache_.Retain(lease->TakeSegment(), now, surplus);
}

void LeaseCache::DropLocked(MappedLease* lease, absl::Time now,
                            Surplus* surplus) {
  bigcache_.NoteDropped(MappedLease::kOwner, lease->size_class(), now);
  surplus->push_back({lease->TakeSegment(), EvictionReason::kUnfit});
}

v1::IdleReport LeaseCache::IdleLocked() const {
  v1::IdleReport idle;
  idle.set_idle_bytes(
      bigcache_.retained_bytes() +
      tier_.Count([this](SizeClass c) { return classes_.Bytes(c); }));
  idle.set_idle_leases(bigcache_.retained_segments() +
                       tier_.Count([](SizeClass) { return 1; }));
  return idle;
}

void LeaseCache::CheckInvariants() const {
  MutexLock lock(&mutex_);
  bigcache_.CheckInvariants();
  if (batch_ != nullptr) batch_->CheckInvariants();
  const uint64_t tier_bytes =
      tier_.Count([this](SizeClass c) { return classes_.Bytes(c); });
  WARMPOOL_CHECK(tier_bytes <= options_.max_bytes / 2, "the tier is over its cap");
  WARMPOOL_CHECK(awake_ || IdleLocked().idle_leases() == 0,
                 "asleep with leases");
}

}  // namespace warmpool
