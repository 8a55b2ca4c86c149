// Handover: how a buffer goes from one holder to another: sealed, for many who
// read it; or by a ticket, to one process that has it alone from then on.
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
  // Changes the size of a buffer that only its holder knows; of any other it
  // stays as it is.
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
    // The lease at the start, and its holder.
    LeaseTable::Lease lease;
    Holder holder;
    // The buffer's, once the change is committed.
    uint64_t bytes = 0;
    uint64_t generation = 0;

   private:
    PoolParts& parts_;
  };

  // `bytes` as in SealRequest. `deed`: for messages.
  absl::Status Begin(HolderId holder, const LeaseRef& ref, uint64_t bytes,
                     absl::string_view deed, Hold* hold)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  absl::Status BeginClaim(const Holder& caller, const LeaseId& ticket,
                          Hold* hold)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // OK if the lease lives that the hand-over began with.
  absl::Status LivesStill(const Hold& hold) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // The holder's lease, or null if there is none that it may act on.
  const LeaseTable::Lease* FindOwn(HolderId holder, const LeaseRef& ref) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // The record of `lease` on the buffer as it will be.
  static LeaseRecord RecordAfter(const Hold& hold,
                                 const LeaseTable::Lease& lease,
                                 const Holder& holder);

  // Puts `lease`, which will be `holder`'s, in the place of the hold's lease:
  // in the journal, then in the table, where `committed` is called under the
  // lock. `caller`: whose request it is.
  absl::Status Exchange(
      const Hold& hold, HolderId caller, const Holder& holder,
      LeaseTable::Lease lease,
      absl::FunctionRef<void(const LeaseTable::Lease&)> committed);

  absl::StatusOr<LeaseGrant> ClaimUncounted(HolderId holder,
                                            const ClaimRequest& request);
  // Renames the file of a buffer that is being claimed, if somebody may still
  // open it by the name that it has.
  absl::Status RenameForClaim(LeaseTable::Buffer* buffer);
  absl::Status ProveForClaim(LeaseTable::Buffer* buffer);

  PoolParts& parts_;
  Endings& endings_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_HANDOVER_H_
