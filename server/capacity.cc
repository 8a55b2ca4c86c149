#include "server/capacity.h"

#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/memory/cgroup/memory_room.h"

namespace warmpool {

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

}  // namespace warmpool
