#include "core/memory/kernel/filesystem_room.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "core/memory/kernel/retry.h"

namespace warmpool {

std::string DescribeRoom(const FilesystemBytes& space) {
  if (space.total_files > 0 && space.free_files == 0) {
    return absl::StrCat("the filesystem is out of inodes, all ",
                        space.total_files,
                        " are in use: remove files there, or mount it with a "
                        "larger nr_inodes=");
  }
  return absl::StrCat(space.free, " bytes free");
}

absl::Status FileError(SystemCalls& calls, int directory_fd, int error,
                       absl::string_view what) {
  if (error == EROFS) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, ": the filesystem is mounted read-only: mount it writable (rw)"));
  }
  FilesystemBytes space;
  if (error != ENOSPC || RetryOnInterrupt([&] {
                           return calls.FilesystemSpace(directory_fd, &space);
                         }) < 0) {
    return absl::ErrnoToStatus(error, what);
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(what, ": ", DescribeRoom(space)));
}

absl::Status FileErrorIn(const std::string& directory, int error,
                         absl::string_view what) {
  const int fd = open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  const absl::Status status =
      FileError(LinuxSystemCalls::Get(), fd, error, what);
  if (fd >= 0) close(fd);
  return status;
}

}  // namespace warmpool
