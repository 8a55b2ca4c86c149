// What operations of the pool take and return, beyond core/lease.
#ifndef WARMPOOL_CORE_POOL_POOL_TYPES_H_
#define WARMPOOL_CORE_POOL_POOL_TYPES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"
#include "core/pool/lease_table.h"

namespace warmpool {

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
  LeaseTable::LeasePlace at = {};
  // Leases ended so far.
  size_t ended = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_POOL_TYPES_H_
