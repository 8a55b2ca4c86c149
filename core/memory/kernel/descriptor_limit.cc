#include "core/memory/kernel/descriptor_limit.h"

#include <errno.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

namespace warmpool {

size_t DescriptorsForSegments(uint64_t limit) {
  const uint64_t reserved =
      std::min(std::max(kReservedDescriptors, limit / 4), limit / 2);
  return static_cast<size_t>(
      std::min<uint64_t>(limit - reserved, std::numeric_limits<size_t>::max()));
}

bool LacksDescriptors(int error) { return error == EMFILE || error == ENFILE; }

absl::Status DescriptorsExhausted(int error, const std::string& what) {
  if (error == ENFILE) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what,
                     ": this machine has as many files open as it may: "
                     "raise the sysctl fs.file-max"));
  }
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return absl::ResourceExhaustedError(absl::StrCat(
      what, ": this process has as many descriptors open as it may, ",
      limit.rlim_cur,
      " (RLIMIT_NOFILE): raise the limit with `ulimit -n`, or with "
      "LimitNOFILE= "
      "in its systemd unit"));
}

}  // namespace warmpool
