// AttachSegment: a granted segment, mapped in the process of its holder.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_ATTACH_SEGMENT_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_ATTACH_SEGMENT_H_

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/pages/populate.h"
#include "core/memory/segment.h"

namespace warmpool {

// Who else gets the bytes of a mapping.
struct MappingScope {
  // Processes that this one forks: they have it mapped until they unmap it,
  // exec or end, whatever their parent does. Otherwise they have nothing at its
  // address.
  bool forked_children = true;
  // Core dumps of this process. The kernel takes a file without a name for
  // private memory, and so dumps what a revoked or released lease leaves mapped
  // (core(5)). Otherwise never.
  bool core_dumps = false;
};

// Opens `path`, checks that it is a segment of `bytes` bytes, maps it and
// closes the descriptor: the mapping alone keeps the pages. They are entered
// into the page table at once (Populate).
//
// The path is what a daemon says, whose uid is `daemon`. So nothing is opened
// but what is in a directory of that uid's that no other can write to, and
// nothing mapped but a regular file on a tmpfs that is the daemon's or this
// process's own (PERMISSION_DENIED); no link is followed, and no pipe waited
// for.
//
// `*segment` must be a handle of the class, bytes and page bytes granted. On
// error it may hold parts to be ended through UnmapBatch. FAILED_PRECONDITION:
// the file is gone or is not what was granted.
absl::Status AttachSegment(SystemCalls& calls, const std::string& path,
                           uid_t daemon, bool writable, Segment* segment,
                           PageState pages = PageState::kWritten,
                           MappingScope scope = {});

// Maps the file at `path` anew in place of the segment's mapping, at the same
// address, which is all that changes: what was mapped so far is let go of at
// the same instant. So a mapping becomes one that can't be made writable by
// mprotect(2), or writable again. After an error it is what it was.
absl::Status RemapSegment(SystemCalls& calls, const std::string& path,
                          uid_t daemon, bool writable, const Segment& segment,
                          MappingScope scope = {});

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_ATTACH_SEGMENT_H_
