// AlignedMap: mmap at an address whose alignment lets huge pages be mapped as
// such. A mapping of a huge page that is not 2 MiB-aligned is paid for in
// 4 KiB pieces (measured: 505 us instead of 10-12 us for 2 MiB).
#ifndef WARMPOOL_CORE_MEMORY_PAGES_ALIGNED_MAP_H_
#define WARMPOOL_CORE_MEMORY_PAGES_ALIGNED_MAP_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

// What SystemCalls::Map says of a mapping of so many bytes. RESOURCE_EXHAUSTED:
// the message names the limit that was met, its value and the remedy.
absl::Status MapError(int64_t result, size_t bytes);

// Maps segment->bytes() wherever the kernel likes and sets the segment's data
// and reservation, which are the same range. Arguments and errors as below.
absl::Status PlainMap(SystemCalls& calls, int protection, int flags, int fd,
                      Segment* segment);

// Maps segment->bytes() and sets the segment's data and reservation. From
// 2 MiB up the address is a multiple of 2 MiB; what alignment costs is address
// space only, part of the reservation and unmapped with it.
// `protection` and `flags` are mmap's; `fd` is -1 for anonymous memory.
// On error the segment may hold a reservation to be ended through UnmapBatch.
// RESOURCE_EXHAUSTED: no memory or no room for another mapping (see MapError).
absl::Status AlignedMap(SystemCalls& calls, int protection, int flags, int fd,
                        Segment* segment);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_PAGES_ALIGNED_MAP_H_
