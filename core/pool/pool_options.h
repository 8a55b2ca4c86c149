// PoolOptions: the limits of a pool, and who is told what.
#ifndef WARMPOOL_CORE_POOL_POOL_OPTIONS_H_
#define WARMPOOL_CORE_POOL_POOL_OPTIONS_H_

#include <sys/types.h>

#include <functional>

#include "absl/time/time.h"
#include "core/engine/segment_pool.h"
#include "core/engine/uid_quota.h"
#include "core/lease/lease.h"
#include "core/pool/last_refusals.h"

namespace warmpool {

struct PoolOptions {
  SegmentPool::Options segments;
  // Of each uid.
  UidQuota::Options quota;
  // For requests that name none. Zero: as long as the holder lives.
  absl::Duration default_ttl = absl::Seconds(60);
  // Longer ones are cut to it.
  absl::Duration max_ttl = absl::Hours(24);
  // Called, under no lock, when a lease ended without its holder's release.
  std::function<void(const RevokedLease&)> on_revoked;
  // Called, under no lock, when a request for a lease was refused.
  std::function<void(const Refusal&)> on_refused;
  // Called under no lock; must run the function it is given soon, on another
  // thread. It is called where many requests wait for a buffer of the uid: the
  // request that makes or seals the buffer wakes only the first of them itself.
  // Each call wakes a few. If it runs nothing they wait until their deadlines;
  // it must run nothing after the pool has ended. Null: the caller wakes all.
  std::function<void(uid_t, std::function<void()>)> run_later;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_POOL_OPTIONS_H_
