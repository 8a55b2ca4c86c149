// A connection to a Unix socket of this machine: to whom it leads, and what is
// wrong where it can't be made.
#ifndef WARMPOOL_CLIENT_RPC_LOCAL_SOCKET_H_
#define WARMPOOL_CLIENT_RPC_LOCAL_SOCKET_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace warmpool {

// Whose daemon a process talks to: root's, its own user's and that of `named`.
// Anybody may have bound the socket, and a daemon tells its client which files
// to write to.
struct TrustedPeers {
  std::optional<uid_t> named = std::nullopt;

  // Never a uid that may stand for any user (core/base/user_namespace.h).
  bool Trusts(uid_t uid) const;
};

struct LocalSocket {
  // Not blocking; owned by whoever has this.
  int fd = -1;
  // Of the process that listens, as the kernel tells it.
  uid_t peer = 0;
};

// Does not wait. PERMISSION_DENIED: this process may not connect, or a uid that
// is not trusted listens there; not a byte was sent to it. UNAVAILABLE, for
// example
// "/run/w.sock does not exist".
absl::StatusOr<LocalSocket> ConnectTo(const std::string& socket_path,
                                      const TrustedPeers& trusted);

// The path from the root, so that it stays the same socket's when the process
// changes its working directory. A path that would get too long for a socket
// address (107 bytes) is returned as it is. FAILED_PRECONDITION: it is
// relative, and the working directory was removed.
absl::StatusOr<std::string> AbsoluteSocketPath(const std::string& socket_path);

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

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_LOCAL_SOCKET_H_
