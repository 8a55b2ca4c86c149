// What kind of filesystem a file is on.
#ifndef WARMPOOL_CORE_MEMORY_KERNEL_FILESYSTEM_TYPE_H_
#define WARMPOOL_CORE_MEMORY_KERNEL_FILESYSTEM_TYPE_H_

#include <string>

#include "absl/status/status.h"

namespace warmpool {

// As mount(8) names it: "ext4". Of an open file; "unknown" where /proc does not
// tell.
std::string FilesystemTypeOf(int fd);

// OK where the open directory is on a tmpfs. FAILED_PRECONDITION, naming
// `path`, what it is on, and the remedy: segments need memory with a name,
// pages that are there before they are written, pages that can be taken out
// again, and a kernel that tells who has a file open. Of the filesystems of
// Linux only a tmpfs has all of it.
absl::Status CheckTmpfs(int directory_fd, const std::string& path);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_KERNEL_FILESYSTEM_TYPE_H_
