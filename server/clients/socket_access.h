// SocketAccess: who may connect to the daemon's socket, as its file says it.
#ifndef WARMPOOL_SERVER_CLIENTS_SOCKET_ACCESS_H_
#define WARMPOOL_SERVER_CLIENTS_SOCKET_ACCESS_H_

#include <sys/types.h>

#include <optional>

namespace warmpool {

struct SocketAccess {
  mode_t mode = 0600;
  // The file's group. nullopt: that of the process.
  std::optional<gid_t> group = std::nullopt;

  friend bool operator==(const SocketAccess&, const SocketAccess&) = default;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_SOCKET_ACCESS_H_
