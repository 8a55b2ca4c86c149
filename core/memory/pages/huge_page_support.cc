#include "core/memory/pages/huge_page_support.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include <cstring>
#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace warmpool {
namespace {

constexpr char kShmemEnabled[] =
    "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

// The options of the filesystem that an open file is on, as its mount tells
// them (proc_pid_mountinfo(5)): "rw,size=1048576k,huge=within_size".
std::string FilesystemOptions(int fd) {
  struct stat file;
  if (fstat(fd, &file) < 0) return "";
  const std::string device =
      absl::StrCat(major(file.st_dev), ":", minor(file.st_dev));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    if (fields.size() > 2 && fields[2] == device) {
      return std::string(fields.back());
    }
  }
  return "";
}

bool IsOnTmpfs(int fd) {
  struct statfs filesystem;
  return fstatfs(fd, &filesystem) < 0 || filesystem.f_type == TMPFS_MAGIC;
}

// Why MADV_COLLAPSE is not to be had at all, which the kernel puts as EINVAL.
std::string WhyInvalid() {
  if (prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) > 0) {
    return "they are disabled for this process (prctl PR_SET_THP_DISABLE), by "
           "whoever started it: start it without";
  }
  std::string enabled;
  if (!std::getline(std::ifstream(kShmemEnabled), enabled)) {
    return absl::StrCat("there is no ", kShmemEnabled,
                        ": run a kernel with CONFIG_TRANSPARENT_HUGEPAGE");
  }
  if (absl::StrContains(enabled, "[deny]")) {
    return absl::StrCat(kShmemEnabled, " says deny: write advise into it");
  }
  return "the kernel has no MADV_COLLAPSE for shared memory: Linux 6.1 has";
}

}  // namespace

bool MountGivesHugePages(int fd) {
  const std::string options = FilesystemOptions(fd);
  for (const absl::string_view option : absl::StrSplit(options, ',')) {
    if (option == "huge=always" || option == "huge=within_size") return true;
  }
  return false;
}

std::string WhyNoHugePages(int error, int fd) {
  if (!IsOnTmpfs(fd)) {
    return "the directory is not on a tmpfs: choose one that is, such as one "
           "below /dev/shm";
  }
  switch (error) {
    case EINVAL: return WhyInvalid();
    case ENOMEM:
      return "no 2 MiB of memory in one piece are free, or no addresses "
             "(ulimit -v): free some, or write 1 into "
             "/proc/sys/vm/compact_memory";
    case ENOSPC:
      return "the filesystem has no room: free some, or mount it larger";
    case EFBIG:
      return "this process may not write files of 2 MiB (RLIMIT_FSIZE): raise "
             "the limit with `ulimit -f`, or with LimitFSIZE= in its systemd "
             "unit";
    case EBUSY: return "the memory limit of its cgroup is reached: raise it";
    default: return absl::StrCat("the kernel refused: ", std::strerror(error));
  }
}

}  // namespace warmpool
