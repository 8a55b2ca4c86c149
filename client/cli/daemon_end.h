// DaemonEnd: whether a daemon that was told to stop is gone, with its lock and
// its socket, so that the next one can start.
//
// Not thread-safe.
#ifndef WARMPOOL_CLIENT_CLI_DAEMON_END_H_
#define WARMPOOL_CLIENT_CLI_DAEMON_END_H_

#include <sys/types.h>

#include <string>

#include "absl/time/time.h"

namespace warmpool {

class DaemonEnd {
 public:
  // To be made while the daemon runs. It listens on `socket_path`, has the
  // directory `shm_dir`, and calls itself `pid`, which may be a number of
  // another pid namespace.
  DaemonEnd(std::string socket_path, const std::string& shm_dir, pid_t pid);
  ~DaemonEnd();
  DaemonEnd(const DaemonEnd&) = delete;
  DaemonEnd& operator=(const DaemonEnd&) = delete;

  // Waits until the daemon is gone; false if it is still there after `timeout`.
  bool Await(absl::Duration timeout);

 private:
  // Where its process can't be seen: it has not got its lock any more or, if
  // this user may not look at that, nobody listens on the socket.
  bool HasLetGo() const;

  const std::string socket_path_;
  // -1: the process is not to be seen from here.
  int pidfd_ = -1;
  // Its lock file, open. -1: not to be seen from here.
  int lock_fd_ = -1;
  std::string line_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_DAEMON_END_H_
