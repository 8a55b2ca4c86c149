// Recovery: restores an earlier daemon's leases from its journal.
//
// Runs once, before the pool's first request.
#ifndef WARMPOOL_CORE_POOL_RECOVERY_H_
#define WARMPOOL_CORE_POOL_RECOVERY_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"
#include "core/memory/segment.h"
#include "core/pool/endings.h"
#include "core/pool/pool_parts.h"
#include "core/pool/pool_types.h"

namespace warmpool {

class Recovery {
 public:
  // Both must outlive this.
  Recovery(PoolParts* parts, Endings* endings)
      : parts_(*parts), endings_(*endings) {}

  // See Pool::Recover.
  Recovered Run(const std::vector<RecoveredLease>& leases,
                uint64_t last_generation, std::vector<Segment> leftovers);

 private:
  // The leases that have ended.
  struct Lost {
    std::vector<LeaseId> leases;
    // Leases of other members that shared a channel's buffer with one of them.
    std::vector<LeaseId> members;
    // Leases whose buffers linger, each with the record of the lease that keeps
    // the buffer.
    std::vector<std::pair<LeaseId, LeaseRecord>> lingering;
  };

  // Adopts the segments that no lease can have, and keeps the others by name.
  void SortLeftovers(std::vector<Segment> leftovers, Recovered* result);
  Lost TakeUp(const std::vector<RecoveredLease>& leases)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // Makes `lease` live again, and its buffer if this is the buffer's first
  // lease. False: the lease has ended.
  bool TakeUpLease(const RecoveredLease& lease)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  void AddBuffer(const LeaseRecord& record, Segment segment,
                 LeaseTable::Lease lease)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  LeaseTable::Lease LeaseFrom(const RecoveredLease& recovered) const;
  // The record of the lease that keeps the buffer of a dead holder.
  LeaseRecord LingeringAfter(const LeaseRecord& ended) const;
  void RecordLost(const Lost& lost);

  PoolParts& parts_;
  Endings& endings_;
  // Segments that no lease has taken yet, by file name.
  absl::flat_hash_map<std::string, Segment> segments_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_RECOVERY_H_
