// The gRPC between the two processes of a pair.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_CHANNEL_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace warmpool {

// Metadata of a stream of bytes: their round, in decimal.
inline constexpr char kRoundKey[] = "round";

// Messages may be of any size (gRPC: up to 2 GiB, where 4 MiB is the default).
// UNAVAILABLE: nobody accepted within the deadline.
absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectTo(
    const std::string& socket_path, absl::Duration deadline);
// `service` must outlive the server. UNAVAILABLE: it can't listen there.
absl::StatusOr<std::unique_ptr<grpc::Server>> ServeOn(
    const std::string& socket_path, grpc::Service* service);

void SetDeadline(absl::Duration from_now, grpc::ClientContext* context);

// The codes are the same numbers.
absl::Status FromGrpc(const grpc::Status& status);
grpc::Status ToGrpc(const absl::Status& status);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_CHANNEL_H_
