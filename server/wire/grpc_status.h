// absl::Status, which everything within the daemon returns, as the
// grpc::Status that a call ends with: the codes are the same numbers.
#ifndef WARMPOOL_SERVER_WIRE_GRPC_STATUS_H_
#define WARMPOOL_SERVER_WIRE_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace warmpool {

inline grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_WIRE_GRPC_STATUS_H_
