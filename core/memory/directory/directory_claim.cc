#include "core/memory/directory/directory_claim.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/memory/directory/directory_lock.h"
#include "core/memory/directory/directory_names.h"
#include "core/memory/directory/segment_name.h"

namespace warmpool {
namespace {

constexpr char kMarkName[] = "warmpool-directory";

bool IsMarked(int private_directory_fd) {
  struct stat mark;
  return fstatat(private_directory_fd, kMarkName, &mark, AT_SYMLINK_NOFOLLOW) ==
             0 &&
         S_ISREG(mark.st_mode) && mark.st_uid == geteuid();
}

// Names of the directory itself, whatever daemon left them.
bool IsOurs(const std::string& name) {
  return name == kLockFileName || name == kPrivateName || IsSegmentName(name);
}

}  // namespace

bool IsClaimed(int directory_fd) {
  const int fd = openat(directory_fd, kPrivateName,
                        O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;
  const bool marked = IsMarked(fd);
  close(fd);
  return marked;
}

absl::Status ClaimDirectory(int directory_fd, int private_directory_fd,
                            const std::string& path) {
  if (IsMarked(private_directory_fd)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   NamesIn(directory_fd, path));
  for (const std::string& name : names) {
    if (IsOurs(name)) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "shared-memory directory ", path, " has \"", absl::CHexEscape(name),
        "\" in it, which no daemon made, and the daemon removes files that it "
        "does not know: name a directory that is empty or does not exist "
        "(--shm_dir)"));
  }
  const int fd = openat(private_directory_fd, kMarkName,
                        O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd >= 0) {
    close(fd);
    return absl::OkStatus();
  }
  // A full filesystem must not keep out the daemon that comes to give bytes
  // back: without a mark the next one is refused rather than misled.
  if (errno == ENOSPC) return absl::OkStatus();
  return absl::ErrnoToStatus(
      errno, absl::StrCat("can't mark shared-memory directory ", path));
}

void UnclaimDirectory(int directory_fd, int private_directory_fd) {
  const auto names = NamesIn(directory_fd, "");
  const auto private_names = NamesIn(private_directory_fd, "");
  if (!names.ok() || !private_names.ok()) return;
  for (const std::string& name : *names) {
    if (name != kLockFileName && name != kPrivateName) return;
  }
  for (const std::string& name : *private_names) {
    if (name != kMarkName) return;
  }
  unlinkat(private_directory_fd, kMarkName, 0);
}

}  // namespace warmpool
