#include "client/cli/doctor/memory.h"

#include "absl/strings/str_cat.h"
#include "client/cli/doctor/text_files.h"
#include "core/base/byte_size.h"
#include "core/memory/cgroup/memory_limit.h"
#include "core/memory/cgroup/memory_room.h"

namespace warmpool::doctor {
namespace {

// A pool of less is of little use.
constexpr uint64_t kSmallPool = 64 * kMiB;

Check CheckMachine(const Plan& plan) {
  const std::vector<std::string> lines = ReadLines(plan.root + "/proc/meminfo");
  const uint64_t total =
      NumberIn(ValueOf(lines, "MemTotal:").value_or("")).value_or(0) * kKiB;
  const uint64_t available =
      NumberIn(ValueOf(lines, "MemAvailable:").value_or("")).value_or(0) * kKiB;
  if (total == 0) {
    return Warn("memory", "can't read /proc/meminfo", "mount /proc");
  }
  const std::string value = absl::StrCat(
      FormatByteSize(total), ", ", FormatByteSize(available), " available");
  const uint64_t wanted = plan.capacity_bytes.value_or(0);
  if (wanted > total) {
    return Fail("memory",
                absl::StrCat(value, ", less than the capacity of ",
                             FormatByteSize(wanted)),
                absl::StrCat("--capacity_bytes=", total / 2));
  }
  // What a daemon holds already is not available any more.
  if (!plan.daemon_runs && wanted > available) {
    return Warn("memory",
                absl::StrCat(value, ": a capacity of ", FormatByteSize(wanted),
                             " takes what others use"),
                absl::StrCat("--capacity_bytes=", available / 2,
                             ", or end what takes the memory"));
  }
  return Ok("memory", value);
}

Check CheckGroup(const Plan& plan) {
  const std::optional<MemoryUse> use =
      MemoryLimit::Find(plan.root, plan.Process()).Read();
  if (!use.has_value()) return Ok("cgroup", "no memory limit");
  const uint64_t kept = MemoryRoom::KeptBytes(use->limit_bytes);
  const uint64_t allowed = use->limit_bytes - kept;
  const std::string value =
      absl::StrCat(FormatByteSize(use->limit_bytes), " (", use->limit_file,
                   "), ", FormatByteSize(use->used_bytes), " in use, ",
                   FormatByteSize(kept), " kept for the daemon itself");
  const std::string remedy = absl::StrCat(
      "MemoryMax= in the unit, docker run --memory=, or the pod's "
      "resources.limits.memory: ",
      FormatByteSize(plan.capacity_bytes.value_or(kSmallPool) + 2 * kept),
      " at least");
  if (plan.capacity_bytes.value_or(0) > allowed) {
    return Fail(
        "cgroup",
        absl::StrCat(value, ": a capacity of ",
                     FormatByteSize(*plan.capacity_bytes), " does not fit"),
        remedy);
  }
  if (allowed < kSmallPool) return Warn("cgroup", value, remedy);
  if (!plan.daemon_runs && use->room_bytes() <= kept) {
    return Warn("cgroup", absl::StrCat(value, ": full"), remedy);
  }
  return Ok("cgroup", value);
}

}  // namespace

Checks CheckMemory(const Plan& plan) {
  return {CheckMachine(plan), CheckGroup(plan)};
}

}  // namespace warmpool::doctor
