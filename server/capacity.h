// How large the pool may be on this machine.
#ifndef WARMPOOL_SERVER_CAPACITY_H_
#define WARMPOOL_SERVER_CAPACITY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "core/memory/cgroup/memory_limit.h"

namespace warmpool {

struct BoundedCapacity {
  uint64_t bytes = 0;
  // What made it less than was asked for; empty: nothing did.
  std::string bound_by;
};

// At most what the filesystem has in all (0: it has no bound) and what the
// limit of the control groups leaves to segments.
BoundedCapacity BoundCapacity(uint64_t asked_bytes,
                              uint64_t filesystem_total_bytes,
                              const std::optional<MemoryUse>& limit);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CAPACITY_H_
