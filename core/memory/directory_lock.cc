#include "core/memory/directory_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/memory/filesystem_room.h"

namespace warmpool {
namespace {

// The command name of a process as messages show it; empty if not known. A
// process chooses its name, so what could command a terminal is replaced.
std::string CommandOf(absl::string_view pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
  std::string command;
  std::getline(file, command);
  for (char& c : command) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return command;
}

// Who has the lock: "pid 12 (warmpoold, uid 0), serving unix:/run/x.sock".
std::string DescribeTenant(int lock_fd) {
  struct stat file;
  // The file belongs to whoever made it.
  const std::string uid =
      fstat(lock_fd, &file) == 0 ? absl::StrCat("uid ", file.st_uid) : "";
  char line[256];
  const ssize_t got = pread(lock_fd, line, sizeof(line), 0);
  absl::string_view told(line, got > 0 ? static_cast<size_t>(got) : 0);
  told = absl::StripAsciiWhitespace(told);
  absl::string_view rest = told;
  if (!absl::ConsumePrefix(&rest, "pid ")) {
    return absl::StrCat("a daemon of ", uid,
                        ", whose lock file does not tell its pid");
  }
  const absl::string_view pid = rest.substr(0, rest.find(','));
  rest.remove_prefix(pid.size());
  const std::string command = CommandOf(pid);
  return absl::StrCat("pid ", pid, " (", command, command.empty() ? "" : ", ",
                      uid, ")", rest);
}

// Whether the open file is still the one that the name leads to: the daemon
// that had the lock removes the file as it goes.
bool StillNamed(int directory_fd, int lock_fd) {
  struct stat open_file, named_file;
  return fstat(lock_fd, &open_file) == 0 &&
         fstatat(directory_fd, kLockFileName, &named_file,
                 AT_SYMLINK_NOFOLLOW) == 0 &&
         open_file.st_ino == named_file.st_ino;
}

}  // namespace

absl::Status DirectoryInUse(absl::string_view path, absl::string_view tenant) {
  return absl::FailedPreconditionError(absl::StrCat(
      "shared-memory directory ", path, " is in use by ", tenant,
      ": stop that daemon first, or choose another directory with --shm_dir"));
}

absl::StatusOr<int> LockDirectory(int directory_fd, const std::string& path,
                                  absl::string_view tenant) {
  for (;;) {
    const int fd =
        openat(directory_fd, kLockFileName,
               O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
      return FileErrorIn(path, errno,
                         absl::StrCat("can't open ", path, "/", kLockFileName));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
      const absl::Status status =
          errno == EWOULDBLOCK
              ? DirectoryInUse(path, DescribeTenant(fd))
              : absl::ErrnoToStatus(errno, absl::StrCat("can't lock ", path));
      close(fd);
      return status;
    }
    if (!StillNamed(directory_fd, fd)) {
      close(fd);
      continue;
    }
    // Only who is refused reads this. A full filesystem, which may have no room
    // for it, must not keep out the daemon that comes to give bytes back; a
    // page that an earlier daemon's line has is written over, not given up.
    const std::string line = absl::StrCat("pid ", getpid(), ", ", tenant, "\n");
    const ssize_t written = pwrite(fd, line.data(), line.size(), 0);
    if (ftruncate(fd, std::max<ssize_t>(written, 0)) < 0) {
      const absl::Status status = absl::ErrnoToStatus(
          errno, absl::StrCat("can't write ", path, "/", kLockFileName));
      close(fd);
      return status;
    }
    return fd;
  }
}

absl::StatusOr<std::optional<std::string>> LockTenant(
    int directory_fd, const std::string& path) {
  const int fd = openat(directory_fd, kLockFileName,
                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT) return std::nullopt;
  if (fd < 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("can't open ", path, "/", kLockFileName));
  }
  std::optional<std::string> tenant;
  if (flock(fd, LOCK_SH | LOCK_NB) < 0) tenant = DescribeTenant(fd);
  close(fd);
  return tenant;
}

void UnlockDirectory(int directory_fd, int lock_fd, const std::string& path) {
  unlinkat(directory_fd, kLockFileName, 0);
  close(lock_fd);
  close(directory_fd);
  rmdir(path.c_str());
}

}  // namespace warmpool
