// How the process's descriptors (RLIMIT_NOFILE) are shared out between
// segments, pidfds and connections.
#ifndef WARMPOOL_SERVER_DESCRIPTORS_H_
#define WARMPOOL_SERVER_DESCRIPTORS_H_

#include <cstddef>

namespace warmpool {

// Raises the limit as far as the process may: segments that stay open are
// proven sooner. Returns how many segments may, so that connections find
// descriptors too.
size_t RaiseDescriptorLimit();

// The descriptor at which pidfds of processes that were found again end: they
// leave an eighth of all to connections, so that those processes can come back.
int RecoveredDescriptorsEnd();

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_DESCRIPTORS_H_
