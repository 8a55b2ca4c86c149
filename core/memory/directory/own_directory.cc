#include "core/memory/directory/own_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/unix_target.h"
#include "core/memory/directory/directory_claim.h"
#include "core/memory/directory/directory_lock.h"
#include "core/memory/directory/directory_names.h"
#include "core/memory/kernel/filesystem_room.h"
#include "core/memory/kernel/filesystem_type.h"

namespace warmpool {
namespace {

constexpr char kAnother[] = "choose another directory with --shm_dir";

absl::Status Refused(absl::string_view path, absl::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("shared-memory directory ", path, " ", why));
}

// The directory has a daemon's mark, and the mode of a daemon that serves
// others or that does not.
absl::Status RefuseOwnMode(const std::string& path, mode_t found, mode_t mode) {
  if (mode == kPrivateMode && found == kPassableMode) {
    return Refused(
        path, absl::StrCat(
                  "was made by a daemon that serves other users (mode 0711), "
                  "who may have leases in it: start this daemon with the same "
                  "--allow_uid, --allow_gid or --admin_uid, or ",
                  kAnother));
  }
  if (mode == kPassableMode && found == kPrivateMode) {
    return Refused(
        path, absl::StrCat("was made by a daemon that serves no other users "
                           "(mode 0700): let them reach their segments in it "
                           "(chmod 711 ",
                           path, "), or ", kAnother));
  }
  return Refused(
      path, absl::StrFormat("is Warmpool's, but its mode was changed to %04o: "
                            "set it back (chmod %o %s)",
                            found, mode, path));
}

absl::Status RefuseMode(int fd, const std::string& path, mode_t found,
                        mode_t mode) {
  if (IsClaimed(fd)) return RefuseOwnMode(path, found, mode);
  const absl::StatusOr<std::vector<std::string>> names = NamesIn(fd, path);
  if (names.ok() && names->empty()) {
    return Refused(
        path, absl::StrFormat("has mode %04o, and the daemon's own must have "
                              "%04o: name one that does not exist, which the "
                              "daemon makes (--shm_dir=%s/warmpool)",
                              found, mode, path));
  }
  return Refused(
      path,
      absl::StrFormat("is not Warmpool's (mode %04o, with files in it that no "
                      "daemon made): choose a directory of the daemon's own "
                      "with --shm_dir; the default is %s",
                      found, DefaultShmDirectory()));
}

// Whether the open directory is exactly what this daemon would have made.
absl::Status CheckOwn(int fd, const std::string& path, mode_t mode) {
  struct stat directory;
  if (fstat(fd, &directory) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't stat ", path));
  }
  const mode_t found = directory.st_mode & 07777;
  if (directory.st_uid == geteuid() && found == mode) return absl::OkStatus();
  // Whatever else is wrong: who has it is what must be known first.
  const absl::StatusOr<std::optional<std::string>> tenant =
      LockTenant(fd, path);
  if (tenant.ok() && tenant->has_value()) return DirectoryInUse(path, **tenant);
  if (directory.st_uid != geteuid()) {
    return Refused(path, absl::StrCat("belongs to uid ", directory.st_uid,
                                      ", and this daemon is uid ", geteuid(),
                                      ": ", kAnother));
  }
  return RefuseMode(fd, path, found, mode);
}

// As before, for the private directory of `parent`.
absl::Status CheckPrivate(int parent_fd, int fd, const std::string& parent) {
  const std::string path = absl::StrCat(parent, "/", kPrivateName);
  struct stat directory;
  if (fstat(fd, &directory) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't stat ", path));
  }
  const mode_t found = directory.st_mode & 07777;
  if (directory.st_uid == geteuid() && found == kPrivateMode) {
    return absl::OkStatus();
  }
  if (IsClaimed(parent_fd)) return RefuseOwnMode(path, found, kPrivateMode);
  return Refused(
      parent,
      absl::StrFormat("is not Warmpool's (in it is %s, mode %04o, uid %d, "
                      "which no daemon made): %s",
                      path, found, directory.st_uid, kAnother));
}

absl::Status CantOpen(int error, int parent_fd, const std::string& name,
                      const std::string& path) {
  struct stat file;
  if (fstatat(parent_fd, name.c_str(), &file, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISLNK(file.st_mode)) {
    return Refused(path,
                   "is a symbolic link: name the directory that it leads "
                   "to");
  }
  return absl::ErrnoToStatus(
      error, absl::StrCat("can't open shared-memory directory ", path));
}

// Opens a directory, which is made where it is missing; one that `check`
// refuses is not left behind. `path` is what messages call it.
absl::StatusOr<int> OpenOrMakeAt(
    int parent_fd, const std::string& name, const std::string& path,
    mode_t mode, absl::FunctionRef<absl::Status(int fd)> check) {
  const bool made = mkdirat(parent_fd, name.c_str(), mode) == 0;
  if (!made && errno != EEXIST) {
    const int error = errno;
    return FileErrorIn(
        std::filesystem::path(path).parent_path(), error,
        absl::StrCat("can't make shared-memory directory ", path,
                     error == ENOSPC ? ""
                                     : " (its parent must exist and be "
                                       "writable)"));
  }
  // In /dev/shm anybody can lay a symbolic link to where it does harm.
  const int fd = openat(parent_fd, name.c_str(),
                        O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    const absl::Status cant = CantOpen(errno, parent_fd, name, path);
    if (made) unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR);
    return cant;
  }
  // What the umask took away, or the parent's set-group-id bit added.
  if (made) fchmod(fd, mode);
  absl::Status fit = CheckTmpfs(fd, path);
  if (fit.ok()) fit = check(fd);
  if (fit.ok()) return fd;
  close(fd);
  if (made) unlinkat(parent_fd, name.c_str(), AT_REMOVEDIR);
  return fit;
}

}  // namespace

absl::StatusOr<int> OpenOwnDirectory(const std::string& path, mode_t mode) {
  return OpenOrMakeAt(AT_FDCWD, path, path, mode,
                      [&](int fd) { return CheckOwn(fd, path, mode); });
}

absl::StatusOr<int> OpenPrivateDirectoryIn(int parent_fd,
                                           const std::string& parent) {
  return OpenOrMakeAt(
      parent_fd, kPrivateName, absl::StrCat(parent, "/", kPrivateName),
      kPrivateMode,
      [&](int fd) { return CheckPrivate(parent_fd, fd, parent); });
}

void ClosePrivateDirectoryIn(int parent_fd, int fd) {
  close(fd);
  unlinkat(parent_fd, kPrivateName, AT_REMOVEDIR);
}

}  // namespace warmpool
