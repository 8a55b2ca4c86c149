#include "core/memory/anonymous_source.h"

#include <sys/mman.h>

#include <cstdint>

#include "core/memory/aligned_map.h"

namespace warmpool {

absl::Status AnonymousSource::Make(SizeClass size_class, size_t bytes,
                                   uid_t owner, Segment* segment) {
  *segment = Segment(size_class, bytes, owner);
  segment->set_zeroed(true);
  return AlignedMap(calls_, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, segment);
}

Verdict AnonymousSource::Prove(const Segment&) { return Verdict::kFree; }

absl::StatusOr<uint64_t> AnonymousSource::FreeBytes() { return UINT64_MAX; }

}  // namespace warmpool
