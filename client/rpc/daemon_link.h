// DaemonLink: one connection to the daemon, whose peer was checked, and the
// calls that can be made over it. gRPC's own connections can't be checked (1.51
// tells nobody the descriptor), so the library makes them and gives them to
// gRPC.
//
// Thread-safe. In a forked child nothing may be called.
#ifndef WARMPOOL_CLIENT_RPC_DAEMON_LINK_H_
#define WARMPOOL_CLIENT_RPC_DAEMON_LINK_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/rpc/local_socket.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"

namespace warmpool {

class DaemonLink {
 public:
  using Stub = v1::MemoryPool::StubInterface;

  // Connects, and waits until `until`, a moment of the monotonic clock, for the
  // daemon to say something. PERMISSION_DENIED, UNAVAILABLE: as of ConnectTo,
  // and with the daemon's reason where it does not serve this process.
  // RESOURCE_EXHAUSTED: no thread is left. gRPC is called on a thread of the
  // library's, so that the threads it starts take none of the caller's signals.
  static absl::StatusOr<std::shared_ptr<DaemonLink>> Connect(
      const std::string& socket_path, const TrustedPeers& trusted,
      absl::Time until);
  // One that was lost.
  static std::shared_ptr<DaemonLink> MakeLost();

  Stub& stub() { return *stub_; }
  // Of the process that listens.
  uid_t peer() const { return peer_; }
  // Whether neither side has closed the connection. Two quick system calls.
  bool alive() const;

 private:
  DaemonLink(const std::string& target, const LocalSocket& socket);

  const uid_t peer_;
  // Of gRPC's; which socket it was when this was made tells whether it still
  // is.
  const int fd_;
  const uint64_t inode_;
  const std::unique_ptr<Stub> stub_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_DAEMON_LINK_H_
