// Attachments: leases on buffers that exist, or that a request waits for.
//
// Thread-safe.
#ifndef WARMPOOL_CORE_POOL_ATTACHMENTS_H_
#define WARMPOOL_CORE_POOL_ATTACHMENTS_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/book/attach_waits.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/pool/pool_parts.h"
#include "core/pool/reservation.h"

namespace warmpool {

class Attachments {
 public:
  // `parts` must outlive this.
  explicit Attachments(PoolParts* parts) : parts_(*parts) {}

  // See Pool::AttachOrWait.
  std::optional<absl::StatusOr<LeaseGrant>> AttachOrWait(
      HolderId holder, const AttachRequest& request, AttachWait* wait);

  // Grants a lease on the live buffer that `reservation` has pinned, and counts
  // it in `*count` of the book's counters.
  absl::StatusOr<LeaseGrant> Commit(LeaseTable::Lease lease,
                                    LeaseTable::Buffer* buffer,
                                    uint64_t LeaseCounts::*count,
                                    Reservation* reservation);

 private:
  // What the book has for a request.
  struct Found {
    // Set if the request was answered before.
    std::optional<LeaseGrant> answered = std::nullopt;
    // Pinned. Null: the request waits.
    LeaseTable::Buffer* buffer = nullptr;
  };

  std::optional<absl::StatusOr<LeaseGrant>> AttachUncounted(
      HolderId holder, const AttachRequest& request, AttachWait* wait);
  // Reserves the request id, a lease in the quota and a pin on the buffer. If
  // the request waits, takes ownership of `wait` instead.
  absl::StatusOr<Found> Reserve(HolderId holder, const AttachRequest& request,
                                AttachWait* wait, Reservation* reservation);
  // NOT_FOUND, DEADLINE_EXCEEDED: not there, or not sealed, yet.
  absl::StatusOr<LeaseTable::Buffer*> FindFor(const Holder& caller,
                                              const AttachRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  absl::Status MayAttach(const LeaseTable::Buffer* buffer,
                         const AttachRequest& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);

  PoolParts& parts_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_ATTACHMENTS_H_
