// RLIMIT_FSIZE, the limit of the size of files that a process writes, which
// segments and the journal are subject to.
#ifndef WARMPOOL_CORE_MEMORY_KERNEL_FILE_SIZE_LIMIT_H_
#define WARMPOOL_CORE_MEMORY_KERNEL_FILE_SIZE_LIMIT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace warmpool {

// Bytes that a file of this process may have. nullopt: no limit.
std::optional<uint64_t> FileSizeLimit();

// RESOURCE_EXHAUSTED, for EFBIG: `what` failed; the limit and the remedy. A
// process that does not ignore SIGXFSZ ends before it sees that error.
absl::Status FileTooLarge(const std::string& what);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_KERNEL_FILE_SIZE_LIMIT_H_
