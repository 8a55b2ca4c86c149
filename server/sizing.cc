#include "server/sizing.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/memory/cgroup/memory_room.h"

namespace warmpool {
namespace {

// Of the capacity, for stock: what a burst takes, and the machine hardly
// misses.
constexpr uint64_t kStockShare = 16;
constexpr uint64_t kMostStock = 256 * kMiB;

}  // namespace

BoundedCapacity BoundCapacity(uint64_t asked_bytes,
                              uint64_t filesystem_total_bytes,
                              const std::optional<MemoryUse>& limit) {
  BoundedCapacity capacity{.bytes = asked_bytes, .bound_by = ""};
  if (filesystem_total_bytes > 0 && filesystem_total_bytes < capacity.bytes) {
    capacity = {filesystem_total_bytes,
                absl::StrCat("the filesystem has ",
                             FormatByteSize(filesystem_total_bytes))};
  }
  if (!limit.has_value()) return capacity;
  const uint64_t kept = MemoryRoom::KeptBytes(limit->limit_bytes);
  if (limit->limit_bytes - kept < capacity.bytes) {
    capacity = {
        limit->limit_bytes - kept,
        absl::StrCat(limit->limit_file, " is ",
                     FormatByteSize(limit->limit_bytes), ", of which ",
                     FormatByteSize(kept), " are kept for the daemon itself")};
  }
  return capacity;
}

PoolSizes SizePool(const WantedSizes& wanted, const MachineSpace& space) {
  PoolSizes sizes;
  sizes.capacity = BoundCapacity(
      wanted.capacity_bytes.value_or((space.free_bytes + space.held_bytes) / 2),
      space.filesystem_total_bytes, space.limit);
  const uint64_t capacity = sizes.capacity.bytes;
  sizes.bigcache_bytes = wanted.bigcache_bytes.value_or(capacity / 2);
  sizes.stock_bytes =
      wanted.stock_bytes.value_or(std::min(capacity / kStockShare, kMostStock));
  return sizes;
}

}  // namespace warmpool
