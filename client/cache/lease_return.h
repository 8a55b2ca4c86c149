// LeaseReturn: the way back of cached leases: unmapped together, then released
// in one message for all of a batch.
//
// Thread-safe. No lock is held over a system call or a call to the daemon.
// Nothing is made, nor a thread started, before there is something to return.
#ifndef WARMPOOL_CLIENT_CACHE_LEASE_RETURN_H_
#define WARMPOOL_CLIENT_CACHE_LEASE_RETURN_H_

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/cache/idle_leases.h"
#include "client/leases/lease_source.h"
#include "core/base/mutex.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

struct MappedLease;

class LeaseReturn {
 public:
  using Surplus = IdleLeases::Surplus;

  // What was added is on its way so soon, if HandOverAged is called by then.
  static constexpr absl::Duration kMaxAge = absl::Milliseconds(50);

  // `calls` must outlive this.
  LeaseReturn(std::shared_ptr<LeaseSource> source, SystemCalls* calls,
              UnmapBatch::Drain drain);

  void Add(Surplus surplus, absl::Time now);

  // Returns when all that was added is unmapped and the source was told.
  void Flush();

  // Returns when to come back; InfiniteFuture if nothing waits.
  absl::Time HandOverAged(absl::Time now);

  // Adds `surplus` and flushes. False if there was nothing.
  bool ReturnNow(Surplus surplus, absl::Time now);

  // Leases given back.
  uint64_t returned() const {
    return returned_.load(std::memory_order_relaxed);
  }
  void CheckInvariants() const;

 private:
  // Null: nothing was added yet.
  UnmapBatch* batch() const;
  UnmapBatch& MadeBatch();
  void OnEnded(absl::Span<const Segment> ended);
  // Owned.
  void Release(absl::Span<MappedLease* const> unmapped);

  const std::shared_ptr<LeaseSource> source_;
  SystemCalls& calls_;
  const UnmapBatch::Drain drain_;
  std::atomic<uint64_t> returned_{0};

  mutable Mutex mutex_;
  std::unique_ptr<UnmapBatch> batch_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CACHE_LEASE_RETURN_H_
