// The socket that a daemon listens on, or is to.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_SOCKET_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_SOCKET_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "client/cli/doctor/check.h"

namespace warmpool::doctor {

struct SocketReadings {
  std::string path = "";
  // connect(2)'s errno; 0: somebody listens.
  int error = 0;
  // Who, as the kernel tells it: 0 is a process that has no number here.
  pid_t pid = 0;
  uid_t uid = 0;
  // What is at the path; meaningless where that is nothing.
  bool is_socket = false;
  uid_t owner = 0;
  mode_t mode = 0;
  // The nearest directory above that exists, and whether this process may make
  // something in it.
  std::string nearest = "";
  bool nearest_writable = false;
  // The first directory on the way that others may not pass; empty: none.
  std::string impassable = "";

  bool served() const { return error == 0; }
};

SocketReadings ReadSocket(const std::string& path);

// `tenant`: who has the daemon's directory, in the words of its lock file. A
// daemon that runs and can't be connected to has lost its socket's name, or
// listens elsewhere.
Check CheckSocket(const SocketReadings& readings,
                  const std::optional<std::string>& tenant = std::nullopt);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_SOCKET_H_
