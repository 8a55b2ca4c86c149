#include "client/cli/daemon_end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "absl/status/statusor.h"
#include "client/cli/doctor/socket.h"
#include "core/base/clock.h"
#include "core/memory/directory/directory_lock.h"

namespace warmpool {
namespace {

// Where nothing tells when it happens.
constexpr absl::Duration kLookEvery = absl::Milliseconds(20);

// The lock file of the daemon that has the directory. -1: nobody has it, or
// this user may not look.
int LockFileOf(const std::string& shm_dir) {
  const int fd = open(shm_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -1;
  const absl::StatusOr<int> lock_fd = OpenLockFile(fd, shm_dir);
  close(fd);
  if (!lock_fd.ok()) return -1;
  if (IsLocked(*lock_fd)) return *lock_fd;
  close(*lock_fd);
  return -1;
}

// What whoever has the lock wrote of itself.
std::string LineIn(int lock_fd) {
  char line[256];
  const ssize_t got = pread(lock_fd, line, sizeof(line), 0);
  return std::string(line, got > 0 ? static_cast<size_t>(got) : 0);
}

int PollMilliseconds(absl::Duration left) {
  const absl::Duration rounded = absl::Ceil(left, absl::Milliseconds(1));
  return static_cast<int>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(rounded), 0, INT_MAX));
}

}  // namespace

DaemonEnd::DaemonEnd(std::string socket_path, const std::string& shm_dir,
                     pid_t pid)
    : socket_path_(std::move(socket_path)),
      lock_fd_(LockFileOf(shm_dir)),
      line_(LineIn(lock_fd_)) {
  // The kernel's number for whoever listens is one of this pid namespace. It is
  // not the daemon's where another process made the socket for it.
  const doctor::SocketReadings socket = doctor::ReadSocket(socket_path_);
  if (pid > 0 && socket.served() && socket.pid == pid) {
    pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  }
}

DaemonEnd::~DaemonEnd() {
  if (pidfd_ >= 0) close(pidfd_);
  if (lock_fd_ >= 0) close(lock_fd_);
}

bool DaemonEnd::HasLetGo() const {
  // Another process may go on listening for it. The next daemon has another
  // lock file or, where this one was killed, writes another line.
  if (lock_fd_ >= 0) return !IsLocked(lock_fd_) || LineIn(lock_fd_) != line_;
  return !doctor::ReadSocket(socket_path_).served();
}

bool DaemonEnd::Await(absl::Duration timeout) {
  const Clock& clock = MonotonicClock::Get();
  const absl::Time deadline = clock.Now() + timeout;
  for (;;) {
    const absl::Duration left = deadline - clock.Now();
    if (pidfd_ < 0 && HasLetGo()) return true;
    // Without a pidfd, poll(2) sleeps.
    pollfd process = {pidfd_, POLLIN, 0};
    const int ready =
        poll(&process, 1,
             PollMilliseconds(pidfd_ < 0 ? std::min(left, kLookEvery) : left));
    if (ready > 0) return true;
    if (deadline <= clock.Now()) return false;
  }
}

}  // namespace warmpool
