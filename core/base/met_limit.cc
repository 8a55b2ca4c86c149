#include "core/base/met_limit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/byte_size.h"
#include "core/base/control_group.h"

namespace warmpool {
namespace {

// One limit that explains the error. nullopt: this one does not.
using Explanation = std::optional<std::string>;

// Allocates nothing: a process that has no mapping left can't make its heap
// larger.
uint64_t LinesIn(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  uint64_t lines = 0;
  char part[4096];
  for (ssize_t got; (got = read(fd, part, sizeof(part))) > 0;) {
    lines += static_cast<uint64_t>(std::count(part, part + got, '\n'));
  }
  close(fd);
  return lines;
}

// The number behind "name:" in a file such as /proc/self/status.
uint64_t ReadField(const std::string& path, absl::string_view name) {
  const std::string text = ReadSmallFile(path);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::ConsumePrefix(&line, name)) continue;
    line = absl::StripLeadingAsciiWhitespace(line);
    uint64_t number = 0;
    (void)absl::SimpleAtoi(line.substr(0, line.find_first_of(" \t")), &number);
    return number;
  }
  return 0;
}

// Of /proc/self/status, where it is in KiB.
uint64_t OwnBytes(absl::string_view name) {
  return ReadField("/proc/self/status", name) * kKiB;
}

// nullopt: there is none.
std::optional<uint64_t> SoftLimit(__rlimit_resource resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  return limit.rlim_cur;
}

// What a limit of bytes is for a call that would take `wanted` more.
Explanation OfBytes(__rlimit_resource resource, const char* name,
                    const char* of_what, uint64_t taken, uint64_t wanted,
                    const char* remedy) {
  const std::optional<uint64_t> limit = SoftLimit(resource);
  if (!limit.has_value() || taken + wanted <= *limit) return std::nullopt;
  return absl::StrCat(name, " allows ", FormatByteSize(*limit), " of ", of_what,
                      ", ", FormatByteSize(taken), " are taken, and ",
                      FormatByteSize(wanted), " more are needed; ", remedy);
}

Explanation OfAddressSpace(uint64_t wanted) {
  return OfBytes(RLIMIT_AS, "RLIMIT_AS", "address space", OwnBytes("VmSize:"),
                 wanted, "raise it (ulimit -v, LimitAS=)");
}

// With mlockall(MCL_FUTURE) every mapping counts. The kernel lets a process
// with CAP_IPC_LOCK lock what it likes, and then that is no cause.
Explanation OfLockedMemory(uint64_t wanted) {
  return OfBytes(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK",
                 "locked memory (mlockall locks all that is mapped)",
                 OwnBytes("VmLck:"), wanted,
                 "raise it (ulimit -l, LimitMEMLOCK=)");
}

bool LocksMemory() { return OwnBytes("VmLck:") > 0; }

// Threads of all processes that this one sees of its real uid.
uint64_t ThreadsOfThisUid() {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  if (proc == nullptr) return 0;
  uint64_t threads = 0;
  while (const dirent* const entry = readdir(proc.get())) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    const std::string status = absl::StrCat("/proc/", entry->d_name, "/status");
    if (ReadField(status, "Uid:") != getuid()) continue;
    threads += ReadField(status, "Threads:");
  }
  return threads;
}

Explanation OfProcesses() {
  const std::optional<uint64_t> limit = SoftLimit(RLIMIT_NPROC);
  if (!limit.has_value() || getuid() == 0) return std::nullopt;
  const uint64_t threads = ThreadsOfThisUid();
  if (threads < *limit) return std::nullopt;
  return absl::StrCat("RLIMIT_NPROC allows uid ", getuid(), " ", *limit,
                      " threads and processes, and it has ", threads,
                      "; raise it (ulimit -u, LimitNPROC=)");
}

Explanation OfTaskGroup(const std::string& directory) {
  const std::optional<uint64_t> limit = ReadNumber(directory + "/pids.max");
  const std::optional<uint64_t> tasks = ReadNumber(directory + "/pids.current");
  if (!limit.has_value() || tasks.value_or(0) < *limit) return std::nullopt;
  return absl::StrCat(directory, "/pids.max allows ", *limit,
                      " threads and processes, and there are ", *tasks,
                      "; raise it (TasksMax=, docker --pids-limit)");
}

// The groups of this process (cgroups(7)) and all above them, where they are
// mounted as they usually are.
Explanation OfTaskGroups() {
  for (const ControlGroup& group : ReadControlGroups("/proc/self/cgroup")) {
    if (!group.is_v2 && !HasController(group.controllers, "pids")) continue;
    const std::string point =
        group.is_v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/pids";
    for (absl::string_view path = group.path;;) {
      Explanation met =
          OfTaskGroup(absl::StrCat(point, absl::StripSuffix(path, "/")));
      if (met.has_value()) return met;
      if (path.empty()) break;
      path = path.substr(0, path.rfind('/'));
    }
  }
  return std::nullopt;
}

Explanation OfSystemThreads() {
  // "0.20 0.18 0.12 1/80 11206": of 80 threads 1 runs.
  const std::vector<std::string> load =
      absl::StrSplit(ReadSmallFile("/proc/loadavg"), absl::ByAnyChar(" /"));
  uint64_t threads = 0;
  if (load.size() < 5 || !absl::SimpleAtoi(load[4], &threads)) {
    return std::nullopt;
  }
  for (const char* const name : {"threads-max", "pid_max"}) {
    const std::optional<uint64_t> limit =
        ReadNumber(absl::StrCat("/proc/sys/kernel/", name));
    if (!limit.has_value() || threads < *limit) continue;
    return absl::StrCat("kernel.", name, " allows ", *limit,
                        " threads on this machine, and there are ", threads,
                        "; raise it (sysctl)");
  }
  return std::nullopt;
}

Explanation OfMappings() {
  const std::optional<uint64_t> limit =
      ReadNumber("/proc/sys/vm/max_map_count");
  if (!limit.has_value()) return std::nullopt;
  const uint64_t mappings = LinesIn("/proc/self/maps");
  // The last line is no mapping of the process's own, and a mapping that is put
  // into another makes two more of it.
  constexpr uint64_t kNear = 3;
  if (mappings + kNear < *limit) return std::nullopt;
  return absl::StrCat("vm.max_map_count allows a process ", *limit,
                      " mappings, and it has ", mappings,
                      "; raise it (sysctl), or hold fewer buffers at a time");
}

std::string Join(const char* what, const Explanation& met,
                 const char* otherwise) {
  return absl::StrCat(what, ": ", met.has_value() ? *met : otherwise);
}

}  // namespace

std::string LimitMetByThread() {
  // Of a new thread; glibc takes 8 MiB where there is no limit.
  const uint64_t stack = SoftLimit(RLIMIT_STACK).value_or(8 * kMiB);
  Explanation met = OfTaskGroups();
  if (!met.has_value()) met = OfProcesses();
  if (!met.has_value()) met = OfAddressSpace(stack);
  if (!met.has_value() && LocksMemory()) met = OfLockedMemory(stack);
  if (!met.has_value()) met = OfSystemThreads();
  return Join(
      "no thread is left", met,
      "the kernel refuses one; see RLIMIT_NPROC (ulimit -u), pids.max of "
      "the control group, kernel.threads-max, RLIMIT_AS (ulimit -v), the "
      "memory that is free, and RLIMIT_MEMLOCK (ulimit -l) where mlockall "
      "locks all that is mapped");
}

std::string LimitMetByMapping(size_t bytes, int error) {
  const std::string what =
      absl::StrCat("can't map ", FormatByteSize(bytes), " of memory");
  Explanation met;
  // mmap(2) gives this for locked memory only, though nothing is locked so far.
  if (error == EAGAIN) met = OfLockedMemory(bytes);
  if (!met.has_value()) met = OfMappings();
  if (!met.has_value()) met = OfAddressSpace(bytes);
  if (!met.has_value() && LocksMemory()) met = OfLockedMemory(bytes);
  return Join(
      what.c_str(), met,
      "the kernel refuses it; see RLIMIT_AS (ulimit -v), vm.max_map_count "
      "and the memory that is free");
}

}  // namespace warmpool
