// LeaseCounts: the LeaseBook's counters since the daemon's start.
#ifndef WARMPOOL_CORE_BOOK_LEASE_COUNTS_H_
#define WARMPOOL_CORE_BOOK_LEASE_COUNTS_H_

#include <cstdint>

namespace warmpool {

struct LeaseCounts {
  uint64_t granted_attached = 0;
  uint64_t replayed = 0;
  // Restored from an earlier daemon: from its journal, or asserted by clients.
  uint64_t recovered = 0;
  uint64_t asserted = 0;
  uint64_t refused_invalid = 0;
  uint64_t refused_exhausted = 0;
  uint64_t refused_name_taken = 0;
  uint64_t refused_draining = 0;
  uint64_t refused_other = 0;
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
  // Buffers sealed, tickets made, tickets claimed, and sealed buffers kept for
  // a while without a holder.
  uint64_t sealed = 0;
  uint64_t tickets = 0;
  uint64_t claimed = 0;
  uint64_t lingered = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LEASE_COUNTS_H_
