// A gRPC channel over a Unix socket of this machine.
#ifndef WARMPOOL_CLIENT_RPC_LOCAL_CHANNEL_H_
#define WARMPOOL_CLIENT_RPC_LOCAL_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/time.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace warmpool {

// To be called before gRPC is used. Its threads come with its first object;
// where it gets none, its calls never end (1.51). RESOURCE_EXHAUSTED, naming
// the limit: there are too few.
absl::Status CheckGrpcThreads();
// The same for calls with a callback, whose threads come with the first of a
// channel.
absl::Status CheckCallbackThreads();

// Keeps gRPC running as long as it exists. gRPC is shut down with the last of
// them, so that a process which forks later may begin anew; but not where no
// thread is left, or this process was ever refused one: gRPC may have been
// refused one, too, which its shutdown would wait for without end (1.51).
class GrpcUse {
 public:
  GrpcUse();
  ~GrpcUse();
  GrpcUse(const GrpcUse&) = delete;
  GrpcUse& operator=(const GrpcUse&) = delete;
};

// A channel that is the connection `fd`, which it owns; once that is lost, its
// calls fail. `target` is what its messages call it.
std::shared_ptr<grpc::Channel> MakeLocalChannel(const std::string& target,
                                                int fd);

// The moment that is `left` from now, for gRPC. Independent of the wall clock.
gpr_timespec GrpcDeadline(absl::Duration left);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_LOCAL_CHANNEL_H_
