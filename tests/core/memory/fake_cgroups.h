// FakeCgroups: a /proc and a /sys/fs/cgroup of a test's own, for a process that
// is in some control group.
#ifndef WARMPOOL_TESTS_CORE_MEMORY_FAKE_CGROUPS_H_
#define WARMPOOL_TESTS_CORE_MEMORY_FAKE_CGROUPS_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/core/memory/scratch_directory.h"

namespace warmpool {

class FakeCgroups {
 public:
  // `memberships` is /proc/self/cgroup, `mounts` /proc/self/mountinfo.
  FakeCgroups(const std::string& memberships, const std::string& mounts) {
    Write("/proc/self/cgroup", memberships);
    Write("/proc/self/mountinfo", mounts);
  }
  // In the group `path` of the only hierarchy, v2.
  explicit FakeCgroups(const std::string& path)
      : FakeCgroups("0::" + path + "\n",
                    "23 1 0:21 / /proc rw - proc proc rw\n"
                    "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 "
                    "cgroup2 rw,nsdelegate\n") {}

  const std::string& root() const { return scratch_.path(); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root() + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::trunc) << text;
  }
  // Files of a group of v2: its limit and what it has in use.
  void SetMax(const std::string& path, const std::string& max) {
    Write("/sys/fs/cgroup" + path + "/memory.max", max + "\n");
  }
  void SetCurrent(const std::string& path, uint64_t bytes) {
    Write("/sys/fs/cgroup" + path + "/memory.current",
          std::to_string(bytes) + "\n");
  }

 private:
  ScratchDirectory scratch_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_MEMORY_FAKE_CGROUPS_H_
