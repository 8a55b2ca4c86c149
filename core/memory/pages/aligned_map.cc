#include "core/memory/pages/aligned_map.h"

#include <errno.h>
#include <sys/mman.h>

#include "absl/strings/str_cat.h"
#include "core/base/met_limit.h"

namespace warmpool {

absl::Status MapError(int64_t result, size_t bytes) {
  const int error = static_cast<int>(-result);
  // EAGAIN: of locked memory.
  if (error != ENOMEM && error != EAGAIN) {
    return absl::ErrnoToStatus(error,
                               absl::StrCat("mmap of ", bytes, " bytes"));
  }
  return absl::ResourceExhaustedError(LimitMetByMapping(bytes, error));
}

absl::Status PlainMap(SystemCalls& calls, int protection, int flags, int fd,
                      Segment* segment) {
  const size_t bytes = segment->bytes();
  const int64_t mapped = calls.Map(nullptr, bytes, protection, flags, fd);
  if (mapped < 0) return MapError(mapped, bytes);
  Segment::Parts& parts = segment->parts();
  parts.reservation = reinterpret_cast<void*>(mapped);
  parts.reservation_bytes = bytes;
  segment->set_data(static_cast<std::byte*>(parts.reservation));
  return absl::OkStatus();
}

absl::Status AlignedMap(SystemCalls& calls, int protection, int flags, int fd,
                        Segment* segment) {
  const size_t bytes = segment->bytes();
  if (bytes < kHugePageSize) {
    return PlainMap(calls, protection, flags, fd, segment);
  }
  Segment::Parts& parts = segment->parts();

  const size_t reserved_bytes = bytes + kHugePageSize;
  const int64_t reserved =
      calls.Map(nullptr, reserved_bytes, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
  if (reserved < 0) return MapError(reserved, reserved_bytes);
  parts.reservation = reinterpret_cast<void*>(reserved);
  parts.reservation_bytes = reserved_bytes;

  const uint64_t aligned =
      (static_cast<uint64_t>(reserved) + kHugePageSize - 1) / kHugePageSize *
      kHugePageSize;
  const int64_t mapped = calls.Map(reinterpret_cast<void*>(aligned), bytes,
                                   protection, flags | MAP_FIXED, fd);
  if (mapped < 0) return MapError(mapped, bytes);
  segment->set_data(reinterpret_cast<std::byte*>(mapped));
  return absl::OkStatus();
}

}  // namespace warmpool
