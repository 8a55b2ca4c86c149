// Types of the pool's interface, beyond core/lease: its options, its
// statistics, and arguments and results of its operations.
#ifndef WARMPOOL_CORE_POOL_POOL_TYPES_H_
#define WARMPOOL_CORE_POOL_POOL_TYPES_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/book/last_refusals.h"
#include "core/book/lease_counts.h"
#include "core/book/lease_entries.h"
#include "core/engine/segment_pool.h"
#include "core/engine/uid_quota.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"

namespace warmpool {

struct PoolOptions {
  SegmentPool::Options segments;
  // Limits for each uid.
  UidQuota::Options quota;
  // For requests without a time to live. Zero: as long as the holder lives.
  absl::Duration default_ttl = absl::Seconds(60);
  // Longer times to live are reduced to this.
  absl::Duration max_ttl = absl::Hours(24);
  // Called, with no lock held, when a lease ended without its holder's release.
  std::function<void(const RevokedLease&)> on_revoked;
  // Called, with no lock held, when a lease request was refused.
  std::function<void(const Refusal&)> on_refused;
  // Called with no lock held. Must run the given function soon, on another
  // thread. Used when many requests wait for one buffer: the request that makes
  // or seals the buffer wakes only the first of them itself. Each call wakes a
  // few. If the function does not run, the requests wait until their deadlines.
  // It must not run after the pool was destroyed. Null: the caller wakes all.
  std::function<void(uid_t, std::function<void()>)> run_later;
};

// The pool's counters and levels at one time.
struct PoolStats : LeaseCounts {
  SegmentPool::Stats segments;
  size_t live_leases = 0;
  // Live leases whose holder has made no request for them to this daemon.
  size_t recovering_leases = 0;
  // Live leases that no process has.
  UnheldCount live_tickets;
  UnheldCount live_lingering;
  size_t live_buffers = 0;
  size_t holders = 0;
  // Attach requests that wait for their buffer.
  size_t waiting = 0;
  // The last notable refusal of each uid, newest first; at most
  // Pool::kMostRefusalsTold.
  std::vector<Refusal> last_refusals = {};
  // Ends and renewals that could not be written to the journal.
  uint64_t failed_journal_writes = 0;
  // Grants, renewals and ends that had to make room in the journal themselves,
  // because Tick was late or failed to.
  uint64_t journal_waits = 0;
  bool draining = false;
};

// For tickets without a requested time to live.
inline constexpr absl::Duration kDefaultTicketTtl = absl::Seconds(30);

// A lease from an earlier daemon's journal.
struct RecoveredLease {
  LeaseRecord record;
  // The holder, added to the pool before. 0: its process is gone, or can't be
  // told from others.
  HolderId holder = 0;
};

// The result of restoring an earlier daemon's leases and segments.
struct Recovered {
  size_t leases = 0;
  // Journalled leases that have ended.
  size_t ended_leases = 0;
  // Segments without a lease.
  size_t leftovers = 0;
  // Names of strays that could not be set aside.
  std::vector<std::string> left_alone;
};

// A search for a holder's unused leases, a few at a time.
struct UnusedSearch {
  // Leases that the holder requested, renewed or asserted later are in use.
  absl::Time since;
  // Where the search continues.
  LeasePlace at = {};
  // Leases ended so far.
  size_t ended = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_POOL_TYPES_H_
