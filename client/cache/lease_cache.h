// LeaseCache: a released buffer stays with its process, leased, mapped and
// warm, and the next lease of its size class takes it: no call, no system call,
// no lock that threads share, no allocation, no look at a clock.
//
//   Put ──► ThreadTier ──► BigCache ──► LeaseReturn ──► munmap, then one
//   release
//            a few a thread   a lock       together       for all of a batch
//
// A class that misses again and again gets leases ahead of need (Prefetch).
//
// What nobody leases wanders along this line by itself: a thread of the
// cache's, which sleeps while there is nothing, sweeps the tier and lets
// BigCache decay.
//
// Thread-safe. The lock is held over no system call and no call to the daemon.
// In a forked child every method does nothing: what is cached is the parent's.
// Invariants: those of IdleLeases; tier and BigCache hold a half of max_bytes
// each at most; a lease that ends is unmapped before it is released.
#ifndef WARMPOOL_CLIENT_CACHE_LEASE_CACHE_H_
#define WARMPOOL_CLIENT_CACHE_LEASE_CACHE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cache/idle_leases.h"
#include "client/cache/idle_reporter.h"
#include "client/cache/lease_return.h"
#include "client/cache/prefetch.h"
#include "client/leases/lease_source.h"
#include "client/leases/mapped_lease.h"
#include "client/leases/ticker.h"
#include "client/rpc/fork_guard.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/size_class.h"

namespace warmpool {

struct LeaseCacheStats;

class LeaseCache : public std::enable_shared_from_this<LeaseCache> {
 public:
  // Maps what the source granted. Where it can't, the lease is released.
  using MapFunction =
      std::function<absl::StatusOr<std::unique_ptr<MappedLease>>(HeldLease)>;

  struct Options {
    // Bytes that may lie idle, not counting what is on its way back (a batch of
    // LeaseReturn's).
    uint64_t max_bytes = 256 * kMiB;
    // What lies idle for so long is on its way back; a half of it at least.
    absl::Duration idle = absl::Seconds(2);
    // Whether leases with a finite time to live are renewed by their source.
    bool renewed = true;
    // Whether leases are asked for ahead of need, if they are renewed.
    bool prefetch = true;
    // Otherwise somebody calls Tick.
    bool own_thread = true;
    // Null: MappedLease::Map.
    MapFunction map = nullptr;
  };

  // A shorter `idle` counts as this: the tier is swept four times in it.
  static constexpr absl::Duration kMinIdle = absl::Milliseconds(40);

  // `calls` and `clock` must outlive it. Its owner calls Shut before it lets go
  // of it; what the leases in use then still refer to lives until their end.
  static std::shared_ptr<LeaseCache> Make(std::shared_ptr<LeaseSource> source,
                                          SystemCalls* calls,
                                          const Clock* clock,
                                          const Options& options);
  ~LeaseCache();

  // Gets the thread that serves it from its first use on, before that.
  // RESOURCE_EXHAUSTED, naming the limit: there is none.
  absl::Status Prepare() { return ticker_.Prepare(); }

  // A lease of at least `bytes` bytes, without a name or a time to live of its
  // own; its caller owns it. It comes from the cache, or else from the source,
  // whose errors these are; what lies idle here goes back before the source
  // says that the machine is full.
  absl::StatusOr<MappedLease*> Lease(uint64_t bytes) {
    if (MappedLease* const lease = Take(bytes)) return lease;
    return LeaseFromSource(bytes);
  }
  // The same from the cache alone. Null: it has none of that size class.
  MappedLease* Take(uint64_t bytes) {
    if (fork_.Forked()) return nullptr;
    const absl::StatusOr<SizeClass> size_class = classes_.For(bytes);
    if (!size_class.ok()) return nullptr;
    MappedLease* const lease = tier_.Take(*size_class);
    if (lease == nullptr || lease->has_ended()) {
      return TakeSlowly(*size_class, lease);
    }
    lease->reused = true;
    return lease;
  }

  // Takes `lease`, whose `cache` is this, off its user's hands; or returns
  // false, and the caller ends it: others know its name, it has ended, or the
  // cache is shut.
  bool Put(MappedLease* lease) {
    if (!fork_.Forked() && !lease->shared.load(std::memory_order_relaxed) &&
        !lease->has_ended() && tier_.Put(lease)) {
      // The lease, and this, may be gone already.
      return true;
    }
    return PutSlowly(lease);
  }

  // Gives back the coldest leases until `wanted_bytes` bytes (0: all) were
  // given back or nothing is left. When Trim returns they are unmapped, and the
  // source was told.
  void Trim(uint64_t wanted_bytes);
  // The same from the cache's own thread, soon.
  void TrimSoon(uint64_t wanted_bytes);
  // Gives back everything: when it returns, that is unmapped, and the source
  // was told. False if there was nothing.
  bool ReleaseAll();

  // Gives back everything, for good. Waits for the cache's threads.
  void Shut();

  // Does what time has made due; returns when to come back. For who has no
  // own_thread.
  absl::Time Tick();

  LeaseCacheStats stats() const;
  bool forked() const { return fork_.Forked(); }
  // Aborts, saying what is wrong, unless the invariants hold.
  void CheckInvariants() const;

 private:
  using Surplus = IdleLeases::Surplus;

  LeaseCache(std::shared_ptr<LeaseSource> source, SystemCalls* calls,
             const Clock* clock, const Options& options);

  absl::StatusOr<MappedLease*> LeaseFromSource(uint64_t bytes);
  absl::StatusOr<std::unique_ptr<MappedLease>> AskSource(uint64_t bytes);
  // Makes `lease` one that may be Put, if it is fit for that.
  void Adopt(MappedLease* lease);
  // Of `bytes` bytes there is one lease less in use than was missed.
  void Failed(uint64_t bytes);
  MappedLease* TakeSlowly(SizeClass size_class, MappedLease* ended);
  bool PutSlowly(MappedLease* lease);
  void WakeLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TrimLocked(uint64_t wanted_bytes, absl::Time now, Surplus* surplus)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool IsFit(const MappedLease& lease) const;
  void RecordMissLocked(SizeClass size_class, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Asks for leases ahead of need, if that is due, and keeps those that come.
  void LeaseAhead();
  void KeepAhead(std::vector<std::unique_ptr<MappedLease>> leases);
  void RecordUnusedLocked(const Surplus& surplus)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Gives `surplus` back, soon.
  void End(Surplus surplus, absl::Time now);

  const Options options_;
  const absl::Duration sweep_every_;
  const ForkMark fork_;
  const SizeClasses& classes_;
  const std::shared_ptr<LeaseSource> source_;
  SystemCalls& calls_;
  const Clock& clock_;
  // Both synchronised by themselves. The tier is open while idle_ is awake.
  IdleLeases::Tier tier_;
  LeaseReturn return_;

  mutable Mutex mutex_;
  IdleLeases idle_ ABSL_GUARDED_BY(mutex_);
  bool shut_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time next_sweep_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  // nullopt: no trim is due.
  std::optional<uint64_t> trim_wanted_ ABSL_GUARDED_BY(mutex_);
  IdleReporter reporter_ ABSL_GUARDED_BY(mutex_);
  uint64_t misses_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t trims_ ABSL_GUARDED_BY(mutex_) = 0;
  Prefetch prefetch_ ABSL_GUARDED_BY(mutex_);

  // Last: its thread calls Tick. Started with the first thing to do.
  Ticker ticker_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CACHE_LEASE_CACHE_H_
