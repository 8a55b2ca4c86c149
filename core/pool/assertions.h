// Assertions: restores leases of an earlier daemon that its clients assert and
// that the journal does not have.
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
  // What the asserted lease is on.
  struct Plan {
    enum class On {
      // The lease itself is live, and was renewed.
      kLease,
      // A live buffer, pinned for the lease.
      kBuffer,
      // A segment that must still be found; the name is reserved.
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
  // Restores the lease on a segment without other leases.
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
