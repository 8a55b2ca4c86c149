// Assertions: leases that clients say they have from an earlier daemon, taken
// up where the journal does not tell of them.
//
// Thread-safe.
#ifndef WARMPOOL_CORE_POOL_ASSERTIONS_H_
#define WARMPOOL_CORE_POOL_ASSERTIONS_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/pool/attachments.h"
#include "core/pool/pool_parts.h"
#include "core/pool/reservation.h"

namespace warmpool {

class Assertions {
 public:
  // Both must outlive this.
  Assertions(PoolParts* parts, Attachments* attachments)
      : parts_(*parts), attachments_(*attachments) {}

  // See Pool::Assert.
  absl::StatusOr<absl::Duration> Assert(HolderId holder,
                                        const AssertedLease& asserted);

 private:
  // What an asserted lease is on.
  struct Plan {
    enum class On {
      // It is live itself, and was renewed.
      kLease,
      // A live buffer, pinned for it.
      kBuffer,
      // A segment that is to be found; the name is reserved.
      kLeftover,
    };
    On on = On::kLease;
    bool renewal_is_news = false;
    LeaseTable::Buffer* buffer = nullptr;
  };

  // Reserves what the lease needs.
  absl::StatusOr<Plan> Reserve(HolderId holder, const AssertedLease& asserted,
                               absl::Duration ttl, Reservation* reservation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  absl::Status ReserveOnBuffer(LeaseTable::Buffer* buffer,
                               const AssertedLease& asserted,
                               Reservation* reservation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // Takes up the lease on a segment that no other lease is on.
  absl::Status TakeUpLeftover(const AssertedLease& asserted, absl::Duration ttl,
                              Reservation* reservation);
  absl::Status CommitLeftover(const AssertedLease& asserted, absl::Duration ttl,
                              Reservation* reservation);
  LeaseTable::Lease LeaseFrom(HolderId holder, const AssertedLease& asserted,
                              absl::Duration ttl) const;

  PoolParts& parts_;
  Attachments& attachments_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_ASSERTIONS_H_
