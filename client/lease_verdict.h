// Which of the daemon's results for a lease say that it has ended.
#ifndef WARMPOOL_CLIENT_LEASE_VERDICT_H_
#define WARMPOOL_CLIENT_LEASE_VERDICT_H_

#include "absl/status/status.h"

namespace warmpool {

// Whether there is no such lease (any more), so that asking again is of no use.
// Anything else but OK leaves it undecided.
inline bool HasEnded(const absl::Status& result) {
  switch (result.code()) {
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInvalidArgument:
      return true;
    default:
      return false;
  }
}

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASE_VERDICT_H_
