// ForSlices: work on a stretch of memory, slice by slice and by several
// threads: for what the kernel does to each page by itself, such as clearing
// it.
#ifndef WARMPOOL_CORE_MEMORY_PAGES_SLICES_H_
#define WARMPOOL_CORE_MEMORY_PAGES_SLICES_H_

#include <cstddef>

#include "absl/functional/function_ref.h"

namespace warmpool {

// A slice's offset and bytes; returns whether to go on.
using SliceWork = absl::FunctionRef<bool(size_t offset, size_t bytes)>;

// Calls `work` for every `slice_bytes` of `bytes` once, the last of which may
// be fewer, in no particular order, on this thread and as many others as there
// are processors and slices for, `max_threads` in all; fewer where the system
// has none to give. Once a call returns false, no slice is begun any more.
// Returns when all calls have, and whether none returned false.
bool ForSlices(size_t bytes, size_t slice_bytes, size_t max_threads,
               SliceWork work);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_PAGES_SLICES_H_
