// The gRPC server without a listener of its own: connections are handed to it
// by descriptor.
#ifndef WARMPOOL_SERVER_TRANSPORT_GRPC_SERVER_H_
#define WARMPOOL_SERVER_TRANSPORT_GRPC_SERVER_H_

#include <memory>
#include <vector>

#include "absl/time/time.h"

// gRPC's headers take seconds to compile.
namespace grpc {
class Server;
class ServerCompletionQueue;
class Service;
}  // namespace grpc

namespace warmpool {

struct GrpcServerOptions {
  // Serve gRPC reflection. It has a thread of its own, which costs every call a
  // wake-up.
  bool reflection = false;
  // A connection with calls under way, and with no other, is pinged after this
  // long without a word from its client ...
  absl::Duration ping_interval = absl::Seconds(20);
  // ... and cut when a ping has gone unanswered for this long.
  absl::Duration ping_timeout = absl::Seconds(20);
  // See ServingQueue.
  absl::Duration busy_poll = absl::ZeroDuration();
};

// Starts a server for `services`, bounded in memory, message size and calls of
// a connection. `*queue` is where the calls come. Null if gRPC can't start.
std::unique_ptr<grpc::Server> StartGrpcServer(
    const std::vector<grpc::Service*>& services,
    const GrpcServerOptions& options,
    std::unique_ptr<grpc::ServerCompletionQueue>* queue);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_GRPC_SERVER_H_
