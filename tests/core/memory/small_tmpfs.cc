#include "tests/core/memory/small_tmpfs.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

namespace warmpool {
namespace {

// Moves this process to mounts of its own: as root, or else as the root of a
// user namespace. Its uid stays what it was.
bool HaveOwnMounts() {
  const uid_t uid = geteuid();
  if (unshare(CLONE_NEWNS) < 0) {
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) return false;
    std::ofstream("/proc/self/uid_map") << uid << " " << uid << " 1";
  }
  return mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

}  // namespace

SmallTmpfs::SmallTmpfs(const std::string& options, const std::string& type) {
  static const bool own_mounts = HaveOwnMounts();
  const std::string path = Join("");
  mkdir(path.c_str(), 0700);
  if (!own_mounts ||
      mount("none", path.c_str(), type.c_str(), 0, options.c_str()) < 0) {
    problem_ = "no " + type + " can be mounted: " + std::strerror(errno);
  }
}

SmallTmpfs::~SmallTmpfs() {
  if (problem_.empty()) umount2(Join("").c_str(), MNT_DETACH);
}

std::string SmallTmpfs::Join(const std::string& name) const {
  return scratch_.Join("tmpfs/" + name);
}

}  // namespace warmpool
