#include "core/memory/cgroup/memory_limit.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/control_group.h"

namespace warmpool {
namespace {

// v1 writes the largest multiple of a page for no limit; no machine has that
// much.
constexpr uint64_t kNoLimit = uint64_t{1} << 62;

// 0 if it is not there.
uint64_t ReadStatistic(const std::string& path, absl::string_view name) {
  const std::string text = ReadSmallFile(path);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    uint64_t number = 0;
    if (absl::ConsumePrefix(&line, name) && absl::ConsumePrefix(&line, " ") &&
        absl::SimpleAtoi(line, &number)) {
      return number;
    }
  }
  return 0;
}

}  // namespace

// proc(5): "36 35 98:0 /root /point options [optional] - type source options".
std::optional<MemoryLimit::Mount> MemoryLimit::ParseMount(
    absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> halves =
      absl::StrSplit(line, absl::MaxSplits(" - ", 1));
  const std::vector<absl::string_view> place =
      absl::StrSplit(halves.first, ' ');
  const std::vector<absl::string_view> what =
      absl::StrSplit(halves.second, ' ');
  if (place.size() < 5 || what.size() < 3) return std::nullopt;
  Mount mount;
  mount.root = std::string(place[3]);
  mount.point = std::string(place[4]);
  if (what[0] == "cgroup2") return mount;
  mount.version = Version::kV1;
  if (what[0] == "cgroup" && HasController(what[2], "memory")) return mount;
  return std::nullopt;
}

MemoryLimit MemoryLimit::Find(const std::string& root,
                              const std::string& process) {
  MemoryLimit limit;
  const std::string mounts = ReadSmallFile(root + "/proc/self/mountinfo");
  const std::vector<ControlGroup> groups =
      ReadControlGroups(absl::StrCat(root, "/proc/", process, "/cgroup"));
  for (const absl::string_view mount_line : absl::StrSplit(mounts, '\n')) {
    const std::optional<Mount> mount = ParseMount(mount_line);
    if (!mount.has_value()) continue;
    for (const ControlGroup& group : groups) {
      const bool is_its = mount->version == Version::kV2
                              ? group.is_v2
                              : HasController(group.controllers, "memory");
      if (is_its) limit.AddGroups(*mount, group.path, root);
    }
  }
  return limit;
}

void MemoryLimit::AddGroups(const Mount& mount, absl::string_view path,
                            const std::string& root) {
  // A group outside of what is mounted, or above it ("/.."), is seen as far as
  // the mount point.
  absl::string_view below = path;
  if (mount.root != "/" && (!absl::ConsumePrefix(&below, mount.root) ||
                            (!below.empty() && below[0] != '/'))) {
    below = "";
  }
  if (absl::StartsWith(below, "/..")) below = "";
  below = absl::StripSuffix(below, "/");
  const std::string point = root + mount.point;
  for (;;) {
    groups_.push_back({absl::StrCat(point, below), mount.version});
    if (below.empty()) return;
    below = below.substr(0, below.rfind('/'));
  }
}

std::optional<MemoryUse> MemoryLimit::ReadGroup(const Group& group) {
  const bool v2 = group.version == Version::kV2;
  MemoryUse use;
  use.limit_bytes = kNoLimit;
  // Beyond memory.high nobody is killed, but all are slowed down.
  const std::vector<const char*> names =
      v2 ? std::vector<const char*>{"/memory.max", "/memory.high"}
         : std::vector<const char*>{"/memory.limit_in_bytes"};
  for (const char* const name : names) {
    const std::string file = group.directory + name;
    const uint64_t bytes = ReadNumber(file).value_or(kNoLimit);
    if (bytes >= use.limit_bytes) continue;
    use.limit_bytes = bytes;
    use.limit_file = file;
  }
  if (use.limit_bytes == kNoLimit) return std::nullopt;
  const uint64_t used =
      ReadNumber(group.directory +
                 (v2 ? "/memory.current" : "/memory.usage_in_bytes"))
          .value_or(0);
  const uint64_t droppable =
      ReadStatistic(group.directory + "/memory.stat",
                    v2 ? "inactive_file" : "total_inactive_file");
  use.used_bytes = used - std::min(used, droppable);
  return use;
}

std::optional<MemoryUse> MemoryLimit::Read() const {
  std::optional<MemoryUse> tightest;
  for (const Group& group : groups_) {
    std::optional<MemoryUse> use = ReadGroup(group);
    if (use.has_value() &&
        (!tightest.has_value() || use->room_bytes() < tightest->room_bytes())) {
      tightest = std::move(use);
    }
  }
  return tightest;
}

std::vector<std::string> MemoryLimit::PressureFiles() const {
  std::vector<std::string> files;
  for (const Group& group : groups_) {
    if (group.version == Version::kV2) {
      files.push_back(group.directory + "/memory.pressure");
    }
  }
  return files;
}

}  // namespace warmpool
