// Sockets that a service manager made, and passed to the daemon as it started
// it (socket activation, sd_listen_fds(3)). The manager keeps such a socket
// open while no daemon runs: who connects then waits for the next.
#ifndef WARMPOOL_SERVER_TRANSPORT_PASSED_SOCKETS_H_
#define WARMPOOL_SERVER_TRANSPORT_PASSED_SOCKETS_H_

#include <string>
#include <vector>

#include "core/base/unique_fd.h"

namespace warmpool {

struct PassedSocket {
  UniqueFd fd;
  // Where it is bound.
  std::string path;
};

// The Unix sockets among them that somebody can connect to. What else was
// passed is closed, and named in the log. Call it once. The environment stays:
// other threads may be reading it.
std::vector<PassedSocket> TakePassedSockets();

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_PASSED_SOCKETS_H_
