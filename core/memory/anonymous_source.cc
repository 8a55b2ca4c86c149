#include "core/memory/anonymous_source.h"

#include <sys/mman.h>

#include <cstdint>

#include "core/memory/aligned_map.h"

namespace warmpool {

absl::Status AnonymousSource::Make(SizeClass size_class, size_t bytes,
                                   uid_t owner, Segment* segment) {
  *segment = Segment(size_class, bytes, owner);
  segment->set_zeroed(true);
  const absl::Status mapped =
      AlignedMap(calls_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                 -1, segment);
  if (!mapped.ok() || !options_.huge_pages || bytes < kHugePageSize) {
    return mapped;
  }
  // Refused where the kernel is built without transparent huge pages: then
  // small ones do.
  if (calls_.Advise(segment->data(), bytes, MADV_HUGEPAGE) == 0) {
    segment->set_page_bytes(kHugePageSize);
  }
  return mapped;
}

Verdict AnonymousSource::Prove(const Segment&) { return Verdict::kFree; }

absl::StatusOr<uint64_t> AnonymousSource::FreeBytes() { return UINT64_MAX; }

}  // namespace warmpool
