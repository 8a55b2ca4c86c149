// Reopen: the file of a segment whose descriptor was closed, by its name.
#ifndef WARMPOOL_CORE_MEMORY_PAGES_REOPEN_H_
#define WARMPOOL_CORE_MEMORY_PAGES_REOPEN_H_

#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

// Opens the file: a descriptor that the caller closes, or -errno. -ENOENT: the
// name leads nowhere, or to another file than the one that was closed (a client
// of the daemon's own uid may have put it there). Waits for nobody.
//
// `access`: O_RDONLY is enough for a proof, and is what a file's mode refuses
// least. To truncate takes O_RDWR.
int Reopen(SystemCalls& calls, const Segment::Parts& parts, int access);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_PAGES_REOPEN_H_
