// What RLIMIT_NOFILE, the limit of a process's descriptors, leaves to segments,
// and how to tell a client that it is reached.
#ifndef WARMPOOL_CORE_MEMORY_KERNEL_DESCRIPTOR_LIMIT_H_
#define WARMPOOL_CORE_MEMORY_KERNEL_DESCRIPTOR_LIMIT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace warmpool {

// Descriptors left to connections, files of the daemon's own and proofs of
// closed segments: this many, or a quarter of the limit if that is more, but
// never more than half of it.
inline constexpr uint64_t kReservedDescriptors = 1024;

// Segments that a process may keep open which may have `limit` descriptors.
size_t DescriptorsForSegments(uint64_t limit);

// Whether the error is a lack of descriptors: the process's, or the machine's.
bool LacksDescriptors(int error);

// RESOURCE_EXHAUSTED, for such an error: `what` failed; the limit and the
// remedy.
absl::Status DescriptorsExhausted(int error, const std::string& what);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_KERNEL_DESCRIPTOR_LIMIT_H_
