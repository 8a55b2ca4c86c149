// What the pool takes and gives, beyond core/lease: its options, its
// statistics, and what its operations need or return.
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

// The pool's counters and levels at one moment.
struct PoolStats : LeaseCounts {
  SegmentPool::Stats segments;
  size_t live_leases = 0;
  // Of these, the ones whose holder has not shown itself to this daemon.
  size_t recovering_leases = 0;
  // Of these, the ones that no process has.
  UnheldCount live_tickets;
  UnheldCount live_lingering;
  size_t live_buffers = 0;
  size_t holders = 0;
  // Requests to attach that wait for their buffer.
  size_t waiting = 0;
  // The last notable one of each uid, the newest first; at most
  // Pool::kMostRefusalsTold.
  std::vector<Refusal> last_refusals = {};
  // Ends and renewals that could not be written to the journal.
  uint64_t failed_journal_writes = 0;
  // Grants, renewals and ends that had to make room in the journal themselves,
  // because Tick had not come in time, or could not.
  uint64_t journal_waits = 0;
  bool draining = false;
};

// Of a ticket whose request names no time to live.
inline constexpr absl::Duration kDefaultTicketTtl = absl::Seconds(30);

// A lease of an earlier daemon's journal.
struct RecoveredLease {
  LeaseRecord record;
  // Added to the pool before; 0: its process is gone, or can't be told from
  // others.
  HolderId holder = 0;
};

// What became of an earlier daemon's leases and segments.
struct Recovered {
  size_t leases = 0;
  // Journalled leases that did not survive.
  size_t ended_leases = 0;
  // Segments that no lease needs.
  size_t leftovers = 0;
  // Names of strays that could not be set aside.
  std::vector<std::string> left_alone;
};

// A search, a few leases at a time, for a holder's unused leases.
struct UnusedSearch {
  // Leases that the holder asked for, renewed or asserted later are in use.
  absl::Time since;
  // Where the search goes on.
  LeasePlace at = {};
  // Leases ended so far.
  size_t ended = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_POOL_TYPES_H_
