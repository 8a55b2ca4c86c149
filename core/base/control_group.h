// What the kernel says of a process's control groups (cgroups(7), v1 and v2),
// and the small files in which it says so.
//
// Thread-safe: functions of the files at the time of the call.
#ifndef WARMPOOL_CORE_BASE_CONTROL_GROUP_H_
#define WARMPOOL_CORE_BASE_CONTROL_GROUP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace warmpool {

// Empty if there is no such file.
std::string ReadSmallFile(const std::string& path);
// nullopt: there is no such file, or no number in it ("max").
std::optional<uint64_t> ReadNumber(const std::string& path);

// Whether the list "cpu,memory,pids" has the controller.
bool HasController(absl::string_view list, absl::string_view controller);

// A group that a process is in.
struct ControlGroup {
  bool is_v2 = false;
  // Of v1: "cpu,cpuacct".
  std::string controllers;
  // Below the root of its hierarchy: "/pods/a".
  std::string path;
};

// Those in a file such as /proc/self/cgroup.
std::vector<ControlGroup> ReadControlGroups(const std::string& file);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_CONTROL_GROUP_H_
