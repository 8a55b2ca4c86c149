// Whether a directory is Warmpool's: in one that is, unknown files may be taken
// for strays and ended; in any other they are somebody's data.
//
// The private directory of one that is has a mark, an empty file.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_CLAIM_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_CLAIM_H_

#include <string>

#include "absl/status/status.h"

namespace warmpool {

// Names in the directory itself; the lock file's is in directory_lock.h.
inline constexpr char kPrivateName[] = "private";

// Whether the open directory is marked as Warmpool's.
bool IsClaimed(int directory_fd);

// Marks the locked directory as Warmpool's. `path` is its path.
// FAILED_PRECONDITION, naming a file: it has no mark, and files that no daemon
// made are in it.
absl::Status ClaimDirectory(int directory_fd, int private_directory_fd,
                            const std::string& path);

// Removes the mark if there is nothing else in either directory. While there
// is, it stays for the next daemon.
void UnclaimDirectory(int directory_fd, int private_directory_fd);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_DIRECTORY_CLAIM_H_
