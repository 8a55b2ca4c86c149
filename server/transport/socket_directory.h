// The directory of the daemon's socket.
#ifndef WARMPOOL_SERVER_TRANSPORT_SOCKET_DIRECTORY_H_
#define WARMPOOL_SERVER_TRANSPORT_SOCKET_DIRECTORY_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"

namespace warmpool {

// Makes the directory of a socket whose file is to have `mode`, if it is
// missing and IsForSockets: the daemon's alone, or such that others can pass it
// where the mode lets others connect, whatever the umask. Warns of directories
// on the way that keep those out. NOT_FOUND, naming the directory and the
// command that makes it: it is missing, and the daemon does not make it. Other
// errors name it too.
absl::Status PrepareSocketDirectory(const std::string& socket_path,
                                    mode_t mode);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_SOCKET_DIRECTORY_H_
