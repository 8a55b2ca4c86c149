// AttachSegment: a granted segment, mapped in the process of its holder.
#ifndef WARMPOOL_CORE_MEMORY_ATTACH_SEGMENT_H_
#define WARMPOOL_CORE_MEMORY_ATTACH_SEGMENT_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "core/memory/segment.h"
#include "core/memory/system_calls.h"

namespace warmpool {

// Opens `path`, checks that it is a segment of `bytes` bytes, maps it and
// closes the descriptor: the mapping alone keeps the pages. Pages of 4 KiB are
// entered into the page table at once (MAP_POPULATE), which for pages that
// exist costs a quarter of faulting them in one by one.
//
// `*segment` must be a handle of the class and bytes granted. On error it may
// hold parts to be ended through UnmapBatch. FAILED_PRECONDITION: the file is
// gone or is not what was granted.
absl::Status AttachSegment(SystemCalls& calls, const std::string& path,
                           bool writable, Segment* segment);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_ATTACH_SEGMENT_H_
