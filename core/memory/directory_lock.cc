#include "core/memory/directory_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/memory/filesystem_room.h"
#include "core/memory/filesystem_type.h"

namespace warmpool {
namespace {

absl::Status Refused(absl::string_view path, absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("shared-memory directory ", path, ": ", why));
}

std::string ReadTenant(int lock_fd) {
  char line[256];
  const ssize_t got = pread(lock_fd, line, sizeof(line), 0);
  if (got <= 0) return "a daemon that has not said who it is";
  return std::string(absl::StripAsciiWhitespace(
      absl::string_view(line, static_cast<size_t>(got))));
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

// Whether the open directory is exactly what this daemon would have made.
absl::Status CheckOwn(int fd, const std::string& path, mode_t mode) {
  struct stat directory;
  if (fstat(fd, &directory) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't stat ", path));
  }
  if (directory.st_uid != geteuid()) {
    return Refused(path, absl::StrCat("belongs to uid ", directory.st_uid,
                                      ", this daemon is uid ", geteuid()));
  }
  const mode_t found = directory.st_mode & 07777;
  if (found == mode) return absl::OkStatus();
  return Refused(
      path,
      mode == kPrivateMode
          ? absl::StrFormat("has mode %04o, it must be the daemon's alone: "
                            "chmod 700 it",
                            found)
          : absl::StrFormat("has mode %04o; a daemon that serves several uids "
                            "needs 0711, so that each reaches its own segments "
                            "and lists none: chmod 711 it",
                            found));
}

absl::Status CantOpen(int error, int parent_fd, const std::string& name,
                      const std::string& path) {
  struct stat file;
  if (fstatat(parent_fd, name.c_str(), &file, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(file.st_mode)) {
    return Refused(path, "is a symbolic link: name the directory that it leads "
                         "to");
  }
  return absl::ErrnoToStatus(
      error, absl::StrCat("can't open shared-memory directory ", path));
}

// `path` is what messages call it.
absl::StatusOr<int> OpenOwnDirectoryAt(int parent_fd, const std::string& name,
                                       const std::string& path, mode_t mode) {
  const bool made = mkdirat(parent_fd, name.c_str(), mode) == 0;
  if (!made && errno != EEXIST) {
    const int error = errno;
    return FileErrorIn(std::filesystem::path(path).parent_path(), error,
                       absl::StrCat("can't make shared-memory directory ", path,
                                    error == ENOSPC
                                        ? ""
                                        : " (its parent must exist and be "
                                          "writable)"));
  }
  // In /dev/shm anybody can lay a symbolic link to where it does harm.
  const int fd = openat(parent_fd, name.c_str(),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return CantOpen(errno, parent_fd, name, path);
  // What the umask took away, or the parent's set-group-id bit added.
  if (made) fchmod(fd, mode);
  absl::Status fit = CheckTmpfs(fd, path);
  if (fit.ok()) fit = CheckOwn(fd, path, mode);
  if (fit.ok()) return fd;
  close(fd);
  if (made) unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR);
  return fit;
}

}  // namespace

absl::StatusOr<int> OpenOwnDirectory(const std::string& path, mode_t mode) {
  return OpenOwnDirectoryAt(AT_FDCWD, path, path, mode);
}

absl::StatusOr<int> OpenPrivateDirectoryIn(int parent_fd,
                                           const std::string& parent,
                                           const std::string& name) {
  return OpenOwnDirectoryAt(parent_fd, name, absl::StrCat(parent, "/", name),
                            kPrivateMode);
}

void ClosePrivateDirectoryIn(int parent_fd, int fd, const std::string& name) {
  close(fd);
  unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR);
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
              ? Refused(path, absl::StrCat("in use by ", ReadTenant(fd)))
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
  if (flock(fd, LOCK_SH | LOCK_NB) < 0) tenant = ReadTenant(fd);
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
