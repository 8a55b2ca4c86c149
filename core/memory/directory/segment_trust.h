// What a client takes for a segment of its daemon's, whatever the daemon says.
//
// Both take an open descriptor, and name `path` in their errors, which are
// PERMISSION_DENIED. `daemon` is the daemon's uid.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_TRUST_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_TRUST_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"

namespace warmpool {

// A directory of the daemon's own, where no other uid can put a file: whatever
// is in it was made, or moved there, by the daemon.
absl::Status CheckSegmentDirectory(int fd, const std::string& path,
                                   uid_t daemon);

// A regular file on a tmpfs, the daemon's or this process's own.
absl::Status CheckSegmentFile(int fd, const std::string& path, uid_t daemon);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_SEGMENT_TRUST_H_
