// Errors of a filesystem that is full: it lacks bytes, or inodes, and what
// helps differs.
#ifndef WARMPOOL_CORE_MEMORY_KERNEL_FILESYSTEM_ROOM_H_
#define WARMPOOL_CORE_MEMORY_KERNEL_FILESYSTEM_ROOM_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {

// "4096 bytes free"; or that no inode is left, and what helps.
std::string DescribeRoom(const FilesystemBytes& space);

// `what` failed with `error`, an errno, for a file in the open directory
// `directory_fd`. For ENOSPC the message tells what is lacking,
// for EROFS what helps.
absl::Status FileError(SystemCalls& calls, int directory_fd, int error,
                       absl::string_view what);

// The same by the directory's path, for one that is not open.
absl::Status FileErrorIn(const std::string& directory, int error,
                         absl::string_view what);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_KERNEL_FILESYSTEM_ROOM_H_
