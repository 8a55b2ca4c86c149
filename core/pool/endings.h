// Endings: how leases end: by release, expiry, revocation or the holder's
// death.
//
// Leases end a few at a time: a process may have a hundred thousand, and every
// other request waits while the lock is held. The limit counts ended leases,
// because ending one lease may end many others.
//
// Thread-safe.
#ifndef WARMPOOL_CORE_POOL_ENDINGS_H_
#define WARMPOOL_CORE_POOL_ENDINGS_H_

#include <cstddef>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/book/lease_table.h"
#include "core/lease/lease.h"
#include "core/pool/pool_parts.h"
#include "core/pool/pool_types.h"

namespace warmpool {

class Endings {
 public:
  // `parts` must outlive this.
  explicit Endings(PoolParts* parts) : parts_(*parts) {}

  // See Pool.
  std::vector<absl::Status> Release(HolderId holder,
                                    absl::Span<const LeaseRef> leases,
                                    bool revoke);
  bool RemoveSomeOf(HolderId id);
  bool EndSomeUnusedLeases(HolderId id, UnusedSearch* search);
  size_t RevokeAll();

  // Ends leases whose time to live ran out by `as_of`.
  void EndExpired(absl::Time as_of);
  // Ends the live leases among `leases`; returns how many ended.
  size_t EndEach(absl::Span<const LeaseId> leases, EndCause cause);
  // Ends both leases after the journal replaced one by the other, and the other
  // was not granted.
  void EndReplaced(const LeaseId& replaced, const LeaseId& by);

 private:
  struct Candidate {
    LeaseId id;
    LeaseTable::Buffer* buffer;
    bool unused = false;
  };

  absl::Status ReleaseOne(HolderId holder, const LeaseRef& ref, bool revoke,
                          std::vector<LeaseTable::Ended>* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex);
  // The leases that were not touched since then, with their buffers pinned.
  std::vector<Candidate> PinUntouched(absl::Span<const LeaseId> leases,
                                      absl::Time since);
  // Ends the unused candidates, and unpins all.
  size_t EndUnused(absl::Span<const Candidate> candidates, absl::Time since);
  // Records ends in the journal, calls on_revoked, and returns the segments of
  // buffers that are gone.
  void Finish(std::vector<LeaseTable::Ended> ended);
  void RecordEnd(const LeaseTable::Ended& ended);

  PoolParts& parts_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_ENDINGS_H_
