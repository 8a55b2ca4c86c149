#include "server/descriptors.h"

#include <sys/resource.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "core/memory/kernel/descriptor_limit.h"

namespace warmpool {

size_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  const bool raised = setrlimit(RLIMIT_NOFILE, &limit) == 0;
  return DescriptorsForSegments(raised ? limit.rlim_max : before);
}

int RecoveredDescriptorsEnd() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return INT_MAX;
  return static_cast<int>(
      std::min<rlim_t>(limit.rlim_cur - limit.rlim_cur / 8, INT_MAX));
}

}  // namespace warmpool
