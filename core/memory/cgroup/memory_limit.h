// MemoryLimit: how much memory the control groups of this process allow it, and
// how much of that is in use (cgroups(7), v1 and v2).
//
// The groups above its own count too: whichever leaves least decides. The pages
// of a tmpfs are charged to the group of the process that makes them, whoever
// writes to them afterwards. Beyond a limit the kernel kills; fallocate(2) does
// not fail.
#ifndef WARMPOOL_CORE_MEMORY_CGROUP_MEMORY_LIMIT_H_
#define WARMPOOL_CORE_MEMORY_CGROUP_MEMORY_LIMIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace warmpool {

// Of one group, all that are below it included.
struct MemoryUse {
  // Where the limit stands: "/sys/fs/cgroup/pods/memory.max".
  std::string limit_file;
  uint64_t limit_bytes = 0;
  // Without what the kernel drops before it kills: pages of files on disk that
  // nobody has used lately.
  uint64_t used_bytes = 0;

  uint64_t room_bytes() const {
    return limit_bytes - (used_bytes < limit_bytes ? used_bytes : limit_bytes);
  }
};

// Thread-safe, as it does not change.
class MemoryLimit {
 public:
  // The groups that a process is in at present: it is not followed to others.
  // `root` stands before every path, so that a test has a /proc and a /sys of
  // its own; `process` is a name in /proc, of one that sees the same /sys.
  static MemoryLimit Find(const std::string& root = "",
                          const std::string& process = "self");

  // The group that leaves least; nullopt: none has a limit. Looks for a few
  // small files for each of them: 50 us where there are none, after a rest.
  std::optional<MemoryUse> Read() const;

  // Files that tell when a process of a group waits for memory (v2), its own
  // first. They need not exist.
  std::vector<std::string> PressureFiles() const;

 private:
  enum class Version { kV1, kV2 };
  struct Group {
    std::string directory;
    Version version = Version::kV2;
  };
  struct Mount {
    Version version = Version::kV2;
    // The group that is seen at the mount point, and that.
    std::string root;
    std::string point;
  };

  static std::optional<Mount> ParseMount(absl::string_view line);
  static std::optional<MemoryUse> ReadGroup(const Group& group);
  // Those of `path`, a group's, that are seen below the mount point.
  void AddGroups(const Mount& mount, absl::string_view path,
                 const std::string& root);

  std::vector<Group> groups_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_CGROUP_MEMORY_LIMIT_H_
