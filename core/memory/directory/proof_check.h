// CheckProof: whether the kernel can tell, for files in a directory, that
// nobody has them. Everything rests on that, so a daemon asks before it serves.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_PROOF_CHECK_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_PROOF_CHECK_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {

// Makes a scratch file in the open directory, which must be the caller's alone
// and which messages call `path`; gives it to `owner`; and asks for a lease on
// it: which must be refused while it is open a second time, and granted
// otherwise. Nothing of the file remains.
//
// FAILED_PRECONDITION: the message tells the capability that is missing, or
// that the filesystem has no leases, and the remedy.
absl::Status CheckProof(SystemCalls& calls, int directory_fd,
                        const std::string& path, uid_t owner);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_PROOF_CHECK_H_
