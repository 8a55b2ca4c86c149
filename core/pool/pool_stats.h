// PoolStats: the pool's counters and levels at one moment.
#ifndef WARMPOOL_CORE_POOL_POOL_STATS_H_
#define WARMPOOL_CORE_POOL_POOL_STATS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/engine/segment_pool.h"
#include "core/lease/lease.h"
#include "core/pool/last_refusals.h"

namespace warmpool {

struct PoolStats {
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
  uint64_t granted_attached = 0;
  uint64_t replayed = 0;
  // Taken up from an earlier daemon, by its journal or by their clients.
  uint64_t recovered = 0;
  uint64_t asserted = 0;
  uint64_t refused_invalid = 0;
  uint64_t refused_exhausted = 0;
  uint64_t refused_name_taken = 0;
  uint64_t refused_draining = 0;
  uint64_t refused_other = 0;
  // The last notable one of each uid, the newest first; at most
  // Pool::kMostRefusalsTold.
  std::vector<Refusal> last_refusals = {};
  // By EndCause.
  uint64_t released = 0;
  uint64_t expired = 0;
  uint64_t unclaimed = 0;
  uint64_t linger_ended = 0;
  uint64_t revoked = 0;
  uint64_t holder_died = 0;
  uint64_t unused = 0;
  // Leases that became tickets, and tickets that were claimed.
  uint64_t handed_over = 0;
  uint64_t renewed = 0;
  // Buffers sealed, tickets made and claimed, sealed buffers kept for a while
  // without a holder.
  uint64_t sealed = 0;
  uint64_t tickets = 0;
  uint64_t claimed = 0;
  uint64_t lingered = 0;
  // Ends and renewals that could not be written to the journal.
  uint64_t failed_journal_writes = 0;
  // Grants, renewals and ends that had to make room in the journal themselves,
  // because Tick had not come in time, or could not.
  uint64_t journal_waits = 0;
  bool draining = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_POOL_STATS_H_
