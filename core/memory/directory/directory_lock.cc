#include "core/memory/directory/directory_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/memory/kernel/filesystem_room.h"

namespace warmpool {
namespace {

// A daemon that finds the lock taken tries again: somebody may be looking at it
// with LockTenant, which takes it for a moment.
constexpr int kTries = 5;
constexpr absl::Duration kBetweenTries = absl::Milliseconds(10);

// Others wrote it: what could command a terminal is replaced.
std::string Printable(absl::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return printable;
}

// The command name of a process as messages show it; empty if not known.
std::string CommandOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/comm"));
  std::string command;
  std::getline(file, command);
  return Printable(command);
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
  const bool has_pid = absl::ConsumePrefix(&rest, "pid ");
  const absl::string_view digits = rest.substr(0, rest.find(','));
  pid_t pid = 0;
  if (!has_pid || !absl::SimpleAtoi(digits, &pid) || pid <= 0) {
    return absl::StrCat("a daemon of ", uid,
                        ", whose lock file does not tell its pid");
  }
  rest.remove_prefix(digits.size());
  const std::string command = CommandOf(pid);
  return absl::StrCat("pid ", pid, " (", command, command.empty() ? "" : ", ",
                      uid, ")", Printable(rest));
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
  for (int tries = 1;; ++tries) {
    const int fd = openat(directory_fd, kLockFileName,
                          O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
      return FileErrorIn(path, errno,
                         absl::StrCat("can't open ", path, "/", kLockFileName));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
      if (errno == EWOULDBLOCK && tries < kTries) {
        close(fd);
        absl::SleepFor(kBetweenTries);
        continue;
      }
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

absl::StatusOr<int> OpenLockFile(int directory_fd, const std::string& path) {
  // The directory may be another user's: what has this name may be a pipe,
  // which would be waited for.
  const int fd = openat(directory_fd, kLockFileName,
                        O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat file;
  if (fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) return fd;
  if (fd < 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("can't open ", path, "/", kLockFileName));
  }
  close(fd);
  return absl::NotFoundError(
      absl::StrCat(path, "/", kLockFileName, " is no regular file"));
}

bool IsLocked(int lock_fd) {
  if (flock(lock_fd, LOCK_SH | LOCK_NB) < 0) return true;
  flock(lock_fd, LOCK_UN);
  return false;
}

absl::StatusOr<std::optional<std::string>> LockTenant(int directory_fd,
                                                      const std::string& path) {
  const absl::StatusOr<int> fd = OpenLockFile(directory_fd, path);
  if (absl::IsNotFound(fd.status())) return std::nullopt;
  if (!fd.ok()) return fd.status();
  std::optional<std::string> tenant;
  if (IsLocked(*fd)) tenant = DescribeTenant(*fd);
  close(*fd);
  return tenant;
}

void UnlockDirectory(int directory_fd, int lock_fd, const std::string& path) {
  unlinkat(directory_fd, kLockFileName, 0);
  close(lock_fd);
  close(directory_fd);
  rmdir(path.c_str());
}

}  // namespace warmpool
