// The lock of a daemon's directory: one daemon has it at a time.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_LOCK_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_LOCK_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace warmpool {

// Name of the lock file in the directory. It holds a line about its tenant.
inline constexpr char kLockFileName[] = "daemon.lock";

// FAILED_PRECONDITION: `tenant`, in the words of LockTenant, has the directory.
absl::Status DirectoryInUse(absl::string_view path, absl::string_view tenant);

// Takes the lock of an open directory for as long as the descriptor that it
// returns stays open; writes `tenant` and the pid into the lock file.
// FAILED_PRECONDITION: another process has it; the message tells who.
absl::StatusOr<int> LockDirectory(int directory_fd, const std::string& path,
                                  absl::string_view tenant);

// Opens the lock file of an open directory, to look at its lock. NOT_FOUND:
// there is none, or what has its name is no regular file.
absl::StatusOr<int> OpenLockFile(int directory_fd, const std::string& path);

// Whether a daemon has the lock of this very file, which outlives its name.
// Takes the lock for a moment if nobody has it.
bool IsLocked(int lock_fd);

// Who has the lock of an open directory: pid, command, uid and what it serves;
// nullopt: nobody. Takes the lock for a moment if nobody has it.
absl::StatusOr<std::optional<std::string>> LockTenant(int directory_fd,
                                                      const std::string& path);

// Removes the lock file, gives the lock up, and removes the directory if it
// is empty. Closes both descriptors.
void UnlockDirectory(int directory_fd, int lock_fd, const std::string& path);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_LOCK_H_
