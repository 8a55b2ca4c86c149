// AttachSegment: a granted segment, mapped in the process of its holder.
#ifndef WARMPOOL_CORE_MEMORY_ATTACH_SEGMENT_H_
#define WARMPOOL_CORE_MEMORY_ATTACH_SEGMENT_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "core/memory/populate.h"
#include "core/memory/segment.h"
#include "core/memory/system_calls.h"

namespace warmpool {

// Opens `path`, checks that it is a segment of `bytes` bytes, maps it and
// closes the descriptor: the mapping alone keeps the pages. They are entered into
// the page table at once (Populate).
//
// `*segment` must be a handle of the class, bytes and page bytes granted. On error it may
// hold parts to be ended through UnmapBatch. FAILED_PRECONDITION: the file is
// gone or is not what was granted.
absl::Status AttachSegment(SystemCalls& calls, const std::string& path,
                           bool writable, Segment* segment,
                           PageState pages = PageState::kWritten);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_ATTACH_SEGMENT_H_
