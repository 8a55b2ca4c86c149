// How large the pool and its parts may be on this machine. Pure functions.
#ifndef WARMPOOL_SERVER_SIZING_H_
#define WARMPOOL_SERVER_SIZING_H_

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

// What the flags ask for; nullopt: they do not say.
struct WantedSizes {
  // nullopt: half of what the machine has free and the directory already holds.
  std::optional<uint64_t> capacity_bytes;
  // What BigCache may retain. nullopt: half of the capacity.
  std::optional<uint64_t> bigcache_bytes;
  // What is made ahead of demand. nullopt: a sixteenth of the capacity, 256 MiB
  // at most.
  std::optional<uint64_t> stock_bytes;
};

struct MachineSpace {
  uint64_t free_bytes = 0;
  // In the directory already.
  uint64_t held_bytes = 0;
  // 0: the filesystem has no bound.
  uint64_t filesystem_total_bytes = 0;
  // Of the control groups.
  std::optional<MemoryUse> limit;
};

struct PoolSizes {
  BoundedCapacity capacity;
  uint64_t bigcache_bytes = 0;
  uint64_t stock_bytes = 0;
};

PoolSizes SizePool(const WantedSizes& wanted, const MachineSpace& space);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SIZING_H_
