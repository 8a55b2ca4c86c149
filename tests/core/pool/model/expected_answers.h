// The status code that a Pool answers each request with, as far as that depends
// on leases alone. A request that gets kOk here may still fail: where a process
// has the file open, the kernel fails a call, or there is no room.
//
// All are pure functions of the model. A repeated request is none of their
// business.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_ANSWERS_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_ANSWERS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/lease/lease.h"
#include "tests/core/pool/model/expected_pool.h"

namespace warmpool {

// Of a holder that refers to a lease. kOk: it is live, or was released.
absl::StatusCode CodeOfLeaseRef(const ExpectedPool& expected, HolderId holder,
                                const LeaseRef& ref, bool as_admin);

// Without what its bytes may lack: room, quota, a size class.
absl::StatusCode CodeOfLease(const ExpectedPool& expected, HolderId holder,
                             const LeaseRequest& request);

// kNotFound and kDeadlineExceeded: not as yet.
absl::StatusCode CodeOfAttach(const ExpectedPool& expected, HolderId holder,
                              const AttachRequest& request);

// `bytes`: that the buffer is to have; 0: as it was.
absl::StatusCode CodeOfRenewal(const ExpectedPool& expected, HolderId holder,
                               const LeaseRef& ref, uint64_t bytes);
// Whether a renewal may change the size of the lease's buffer.
bool MayResize(const ExpectedPool& expected, const LeaseId& id);

struct SealLimits {
  absl::Duration max_linger;
  bool may_share = false;
};
absl::StatusCode CodeOfSeal(const ExpectedPool& expected, HolderId holder,
                            const LeaseRef& ref, const SealRequest& request,
                            const SealLimits& limits);
// Whether the seal is a repetition, which changes nothing.
bool IsSealedAlready(const ExpectedPool& expected, HolderId holder,
                     const LeaseRef& ref);

absl::StatusCode CodeOfTicket(const ExpectedPool& expected, HolderId holder,
                              const LeaseRef& ref, const LeaseId& ticket,
                              RequestedTtl ttl, uint64_t bytes,
                              absl::Duration max_ttl);
// Whether this ticket was made of this lease, and is live.
bool IsTicketOf(const ExpectedPool& expected, const LeaseId& ticket,
                const LeaseId& lease);

absl::StatusCode CodeOfClaim(const ExpectedPool& expected, HolderId holder,
                             const LeaseId& ticket);

// kNotFound: the buffer is not live, and may be a leftover.
absl::StatusCode CodeOfAssertion(const ExpectedPool& expected, HolderId holder,
                                 const AssertedLease& asserted);

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_ANSWERS_H_
