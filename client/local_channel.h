// A gRPC channel to a Unix socket of this machine, and what is wrong with that
// socket when nobody answers.
#ifndef WARMPOOL_CLIENT_LOCAL_CHANNEL_H_
#define WARMPOOL_CLIENT_LOCAL_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/time.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/time/time.h"

namespace warmpool {

// A channel with a connection of its own. Does not connect yet.
std::shared_ptr<grpc::Channel> MakeLocalChannel(const std::string& socket_path);

// Connects for a moment to see. For example: "/run/w.sock does not exist".
std::string DescribeSocket(const std::string& socket_path);

// Tells a socket from another that comes to its path later; by the time of the
// last change, too, because filesystems reuse inode numbers.
struct SocketIdentity {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t changed_ns = 0;

  friend bool operator==(const SocketIdentity&,
                         const SocketIdentity&) = default;
};

// All zero if nothing is there.
SocketIdentity IdentityOfSocket(const std::string& socket_path);

// The moment that is `left` from now, for gRPC. Independent of the wall clock.
gpr_timespec GrpcDeadline(absl::Duration left);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOCAL_CHANNEL_H_
