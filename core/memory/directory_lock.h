// The directories that a daemon keeps its segments in, opened and locked.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_LOCK_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_LOCK_H_

#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// Name of the lock file in the directory. It holds a line about its tenant.
inline constexpr char kLockFileName[] = "daemon.lock";

// Others can do nothing in it.
inline constexpr mode_t kPrivateMode = 0700;
// Others can open what they know the name of, and list nothing.
inline constexpr mode_t kPassableMode = 0711;

// Opens the directory at `path`, made with `mode`, one of the two above, where
// it is missing (its parent must exist). Errors as in SegmentDirectory::Open.
absl::StatusOr<int> OpenOwnDirectory(const std::string& path, mode_t mode);

// As before, for the directory `name` in the open directory `parent_fd`, whose
// path is `parent`.
absl::StatusOr<int> OpenPrivateDirectoryIn(int parent_fd,
                                           const std::string& parent,
                                           const std::string& name);

// Closes it, and removes it if it is empty.
void ClosePrivateDirectoryIn(int parent_fd, int fd, const std::string& name);

// Takes the lock of an open directory for as long as the descriptor that it
// returns stays open; writes `tenant` and the pid into the lock file.
// FAILED_PRECONDITION: another process has it; the message tells who.
absl::StatusOr<int> LockDirectory(int directory_fd, const std::string& path,
                                  absl::string_view tenant);

// Who has the lock of an open directory, in the words of its lock file; nullopt:
// nobody. Takes the lock for a moment if nobody has it.
absl::StatusOr<std::optional<std::string>> LockTenant(int directory_fd,
                                                      const std::string& path);

// Removes the lock file, gives the lock up, and removes the directory if it
// is empty. Closes both descriptors.
void UnlockDirectory(int directory_fd, int lock_fd, const std::string& path);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_LOCK_H_
