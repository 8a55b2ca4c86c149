// Handover: passes a buffer from one holder to others: by a seal, to many
// readers; by a ticket, to one process that is then the only holder.
//
// Thread-safe.
#ifndef WARMPOOL_CORE_POOL_HANDOVER_H_
#define WARMPOOL_CORE_POOL_HANDOVER_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"
#include "core/pool/endings.h"
#include "core/pool/pool_parts.h"
#include "core/pool/reservation.h"

namespace warmpool {

class Handover {
 public:
  // Both must outlive this.
  Handover(PoolParts* parts, Endings* endings)
      : parts_(*parts), endings_(*endings) {}

  // See Pool.
  absl::Status Seal(HolderId holder, const LeaseRef& ref,
                    const SealRequest& request);
  absl::StatusOr<absl::Duration> MakeTicket(HolderId holder,
                                            const LeaseRef& ref,
                                            const LeaseId& ticket,
                                            RequestedTtl requested,
                                            uint64_t bytes);
  absl::StatusOr<LeaseGrant> Claim(HolderId holder,
                                   const ClaimRequest& request);
  // Changes the size of a buffer that only its holder knows. Other buffers keep
  // their size.
  absl::Status Resize(HolderId holder, const LeaseRef& ref, uint64_t bytes);

 private:
  // A buffer with one lease, pinned and marked while it is sealed, resized or
  // handed over. The destructor unmarks and unpins it.
  class Hold {
   public:
    explicit Hold(PoolParts* parts) : parts_(*parts) {}
    ~Hold();
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

    LeaseTable::Buffer* buffer = nullptr;
    // The lease at the start of the hand-over, and its holder.
    LeaseTable::Lease lease;
    Holder holder;
    // The buffer's values after the commit.
    uint64_t bytes = 0;
    uint64_t generation = 0;

   private:
    PoolParts& parts_;
  };

  // `bytes` as in SealRequest. `deed`: for error messages.
  absl::Status Begin(HolderId holder, const LeaseRef& ref, uint64_t bytes,
                     absl::string_view deed, Hold* hold)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  absl::Status BeginClaim(const Holder& caller, const LeaseId& ticket,
                          Hold* hold)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // OK if the lease is still live that the hand-over began with.
  absl::Status LivesStill(const Hold& hold) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // The holder's own lease, or null if it has no such lease.
  const LeaseTable::Lease* FindOwn(HolderId holder, const LeaseRef& ref) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // The record of `lease` on the buffer after the commit.
  static LeaseRecord RecordAfter(const Hold& hold,
                                 const LeaseTable::Lease& lease,
                                 const Holder& holder);

  // Replaces the hold's lease by `lease`, which `holder` gets: first in the
  // journal, then in the table. Calls `committed` under the lock. `caller`: the
  // holder that made the request.
  absl::Status Exchange(
      const Hold& hold, HolderId caller, const Holder& holder,
      LeaseTable::Lease lease,
      absl::FunctionRef<void(const LeaseTable::Lease&)> committed);

  absl::StatusOr<LeaseGrant> ClaimUncounted(HolderId holder,
                                            const ClaimRequest& request);
  // Renames the file of a buffer that is being claimed, if a process may still
  // open it by its current name.
  absl::Status RenameForClaim(LeaseTable::Buffer* buffer);
  absl::Status ProveForClaim(LeaseTable::Buffer* buffer);

  PoolParts& parts_;
  Endings& endings_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_HANDOVER_H_
