#include "tests/bench/allocators/counters.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"

namespace warmpool::bench {
namespace {

double Nanoseconds(const timeval& time) {
  return 1e9 * static_cast<double>(time.tv_sec) +
         1e3 * static_cast<double>(time.tv_usec);
}

// The value behind the colon of the line that starts with `key`.
std::string FieldOf(const std::string& file, const std::string& key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!absl::StartsWith(line, key)) continue;
    const size_t colon = line.find(':');
    return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return "?";
}

std::string FirstLineOf(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

}  // namespace

Tracepoint::Tracepoint(const std::string& name, const std::string& filter) {
  const std::string id =
      FirstLineOf(absl::StrCat("/sys/kernel/tracing/events/", name, "/id"));
  if (id.empty()) return;
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_TRACEPOINT;
  attributes.size = sizeof(attributes);
  attributes.config = std::stoull(id);
  attributes.inherit = 1;
  fd_ = static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1,
                                 PERF_FLAG_FD_CLOEXEC));
  if (fd_ < 0 || filter.empty()) return;
  if (ioctl(fd_, PERF_EVENT_IOC_SET_FILTER, filter.c_str()) == 0) return;
  // All events instead of those asked for would be a wrong count.
  close(fd_);
  fd_ = -1;
}

Tracepoint::~Tracepoint() {
  if (fd_ >= 0) close(fd_);
}

std::optional<uint64_t> Tracepoint::Count() const {
  uint64_t count = 0;
  if (fd_ < 0 || read(fd_, &count, sizeof(count)) != sizeof(count)) {
    return std::nullopt;
  }
  return count;
}

Tracepoint SystemCallEntries() { return Tracepoint("raw_syscalls/sys_enter"); }

Tracepoint TlbFlushes() {
  // Reasons 2 and 3 are what the core that starts a flush does itself; 1 and 4
  // are the same flush on other cores (include/trace/events/tlb.h).
  return Tracepoint("tlb/tlb_flush", "reason == 2 || reason == 3");
}

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t total = 0;
  int64_t resident = 0;
  statm >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

int64_t PeakResidentBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

Usage ProcessUsage() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {Nanoseconds(usage.ru_utime) + Nanoseconds(usage.ru_stime),
          static_cast<double>(usage.ru_minflt + usage.ru_majflt)};
}

double ThreadCpuNanoseconds(pthread_t thread) {
  clockid_t clock{};
  timespec time{};
  if (pthread_getcpuclockid(thread, &clock) == 0) clock_gettime(clock, &time);
  return 1e9 * static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec);
}

std::string DescribeMachine() {
  utsname kernel{};
  uname(&kernel);
  return absl::StrCat(
      FieldOf("/proc/cpuinfo", "model name"), ", ",
      std::thread::hardware_concurrency(), " cores, ",
      FormatByteSize(static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<uint64_t>(sysconf(_SC_PAGESIZE))),
      ", Linux ", kernel.release, ", transparent huge pages: ",
      FirstLineOf("/sys/kernel/mm/transparent_hugepage/enabled"));
}

}  // namespace warmpool::bench
