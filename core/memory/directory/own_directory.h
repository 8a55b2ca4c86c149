// Opens the directories that a daemon keeps its segments in.
//
// A directory is used only if it is exactly as the daemon would have made it.
// Its owner and mode are never changed, and no message advises to change those
// of a directory that may be somebody else's. Thread-safe.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_OWN_DIRECTORY_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_OWN_DIRECTORY_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace warmpool {

// Others can do nothing in it.
inline constexpr mode_t kPrivateMode = 0700;
// Others can open what they know the name of, and list nothing.
inline constexpr mode_t kPassableMode = 0711;

// Opens the directory at `path`, made with `mode`, one of the two above, where
// it is missing (its parent must exist). Errors as in SegmentDirectory::Open.
absl::StatusOr<int> OpenOwnDirectory(const std::string& path, mode_t mode);

// As before, for the directory kPrivateName in the open directory `parent_fd`,
// whose path is `parent`.
absl::StatusOr<int> OpenPrivateDirectoryIn(int parent_fd,
                                           const std::string& parent);

// Closes it, and removes it if it is empty.
void ClosePrivateDirectoryIn(int parent_fd, int fd);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_OWN_DIRECTORY_H_
