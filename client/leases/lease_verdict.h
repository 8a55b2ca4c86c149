// What the daemon's answer to a renewal or an assertion says of one lease.
//
// Only a clear word about that very lease ends it. Any other error, such as
// INVALID_ARGUMENT or INTERNAL, may come of a request or an answer that was not
// understood: the lease lives, and the daemon is asked again.
//
// A pure function.
#ifndef WARMPOOL_CLIENT_LEASES_LEASE_VERDICT_H_
#define WARMPOOL_CLIENT_LEASES_LEASE_VERDICT_H_

#include "absl/status/status.h"

namespace warmpool {

// Whether there is no such lease (any more), so that asking again is of no use.
// Anything else but OK leaves it undecided.
inline bool HasEnded(const absl::Status& result) {
  switch (result.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied: return true;
    default: return false;
  }
}

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_LEASE_VERDICT_H_
