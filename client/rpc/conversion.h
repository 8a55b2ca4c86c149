// What the library's callers see as absl types, from and to what is on the
// wire.
#ifndef WARMPOOL_CLIENT_RPC_CONVERSION_H_
#define WARMPOOL_CLIENT_RPC_CONVERSION_H_

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// gRPC's codes and absl's are the same numbers; the message is kept.
absl::Status StatusFromGrpc(const grpc::Status& status);

// The outcome for one item of a request that carried many.
absl::Status StatusFromResult(const v1::Result& result);

// The outcome for the one lease that a request was to end. OK where it is gone
// and the request was `repeated`: a daemon died between the first try and its
// answer, and the next one does not remember what was released.
absl::Status ResultOfRelease(const v1::ReleaseResponse& response,
                             bool repeated);

// Longer ones than the wire can carry (10,000 years) become the longest.
google::protobuf::Duration DurationToWire(absl::Duration duration);
absl::Duration DurationFromWire(const google::protobuf::Duration& duration);

// The time to live that `answer` (Renewed, Asserted) grants to a lease that had
// `before`; zero: as long as its holder lives. Errors are the daemon's, and
// INTERNAL: it says OK, but not for how long.
template <typename Answer>
absl::StatusOr<absl::Duration> TtlFromAnswer(const Answer& answer,
                                             absl::Duration before) {
  const absl::Status result = StatusFromResult(answer.result());
  if (!result.ok()) return result;
  const absl::Duration ttl = DurationFromWire(answer.ttl());
  // An absent one must not be taken for a lease that needs no renewal.
  const bool missing = !answer.has_ttl() && before > absl::ZeroDuration();
  if (missing || ttl < absl::ZeroDuration()) {
    return absl::InternalError(
        "the daemon says OK to the lease, but not for how long");
  }
  return ttl;
}

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_CONVERSION_H_
