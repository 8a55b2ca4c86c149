#include "core/memory/kernel/filesystem_type.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <fstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace warmpool {
namespace {

// The number of its mount in /proc/self/mountinfo; empty if not known.
std::string MountIdOf(int fd) {
  std::ifstream info(absl::StrCat("/proc/self/fdinfo/", fd));
  for (std::string line; std::getline(info, line);) {
    absl::string_view id = line;
    if (absl::ConsumePrefix(&id, "mnt_id:")) {
      return std::string(absl::StripLeadingAsciiWhitespace(id));
    }
  }
  return "";
}

}  // namespace

std::string FilesystemTypeOf(int fd) {
  const std::string id = MountIdOf(fd);
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; !id.empty() && std::getline(mounts, line);) {
    if (!absl::StartsWith(line, absl::StrCat(id, " "))) continue;
    // proc_pid_mountinfo(5): a dash ends the fields of which there may be many.
    const std::vector<std::string> halves =
        absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() < 2) break;
    return halves[1].substr(0, halves[1].find(' '));
  }
  return "unknown";
}

absl::Status CheckTmpfs(int directory_fd, const std::string& path) {
  struct statfs filesystem;
  if (fstatfs(directory_fd, &filesystem) < 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("can't tell what filesystem ", path, " is on"));
  }
  if (filesystem.f_type == TMPFS_MAGIC) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "shared-memory directory ", path, " is on a filesystem of type ",
      FilesystemTypeOf(directory_fd),
      ", and only a tmpfs will do: name one below /dev/shm with --shm_dir, or "
      "mount a tmpfs there"));
}

}  // namespace warmpool
