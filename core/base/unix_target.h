// Where a daemon and its clients find each other when nobody says otherwise.
#ifndef WARMPOOL_CORE_BASE_UNIX_TARGET_H_
#define WARMPOOL_CORE_BASE_UNIX_TARGET_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// "unix:/run/warmpool/warmpool.sock" for root;
// "unix:$XDG_RUNTIME_DIR/warmpool.sock" for others who have such a directory,
// else "unix:/tmp/warmpool-<uid>/warmpool.sock". In that directory nobody else
// can put a socket: see CheckSocketDirectory.
std::string DefaultTarget();

// Anybody can make a directory in /tmp. OK unless the socket is the default one
// there, and its directory is another's, or others can write to it
// (PERMISSION_DENIED), or is not there (NOT_FOUND).
absl::Status CheckSocketDirectory(const std::string& socket_path);

// Whether a daemon makes this directory for its socket where it is missing and
// its parent is not: below /run, /var/run, /tmp and $XDG_RUNTIME_DIR. Anywhere
// else a missing directory is rather a misspelt one.
bool IsForSockets(absl::string_view directory);

// "/dev/shm/warmpool-<uid>".
std::string DefaultShmDirectory();

// The path in "unix:PATH" or "unix:///PATH". INVALID_ARGUMENT, naming the
// target: another scheme, no path, or one that does not fit a socket address
// (107 bytes, unix(7)).
absl::StatusOr<std::string> SocketPathOf(absl::string_view target);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_UNIX_TARGET_H_
