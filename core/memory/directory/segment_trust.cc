#include "core/memory/directory/segment_trust.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace warmpool {
namespace {

absl::Status Refused(const std::string& path, absl::string_view why) {
  return absl::PermissionDeniedError(
      absl::StrCat("the daemon names ", path, ", which ", why));
}

}  // namespace

absl::Status CheckSegmentDirectory(int fd, const std::string& path,
                                   uid_t daemon) {
  struct stat directory;
  if (fstat(fd, &directory) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't stat ", path));
  }
  if (directory.st_uid != daemon) {
    return Refused(path, absl::StrCat("belongs to uid ", directory.st_uid,
                                      ", the daemon is uid ", daemon));
  }
  if ((directory.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Refused(path, absl::StrFormat("others can write to (mode %04o)",
                                         directory.st_mode & 07777));
  }
  return absl::OkStatus();
}

absl::Status CheckSegmentFile(int fd, const std::string& path, uid_t daemon) {
  struct stat file;
  struct statfs filesystem;
  if (fstat(fd, &file) < 0 || fstatfs(fd, &filesystem) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't stat ", path));
  }
  if (!S_ISREG(file.st_mode)) return Refused(path, "is no regular file");
  if (filesystem.f_type != TMPFS_MAGIC) return Refused(path, "is on no tmpfs");
  if (file.st_uid != daemon && file.st_uid != geteuid()) {
    return Refused(path, absl::StrCat("belongs to uid ", file.st_uid,
                                      ", the daemon is uid ", daemon));
  }
  return absl::OkStatus();
}

}  // namespace warmpool
