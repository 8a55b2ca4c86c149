// The directory that a daemon keeps its segments in, opened and locked.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_LOCK_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_LOCK_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// Name of the lock file in the directory. It holds a line about its tenant.
inline constexpr char kLockFileName[] = "daemon.lock";

// Opens the directory at `path`, made with mode 0700 where it is missing
// (its parent must exist). Errors as in SegmentDirectory::Open.
absl::StatusOr<int> OpenPrivateDirectory(const std::string& path);

// Takes the lock of an open directory for as long as the descriptor that it
// returns stays open; writes `tenant` and the pid into the lock file.
// FAILED_PRECONDITION: another process has it; the message tells who.
absl::StatusOr<int> LockDirectory(int directory_fd, const std::string& path,
                                  absl::string_view tenant);

// Removes the lock file, gives the lock up, and removes the directory if it
// is empty. Closes both descriptors.
void UnlockDirectory(int directory_fd, int lock_fd, const std::string& path);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_LOCK_H_
