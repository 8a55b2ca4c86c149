#include "core/memory/pages/anonymous_source.h"

#include <sys/mman.h>

#include <cstdint>

#include "core/memory/kernel/retry.h"
#include "core/memory/pages/aligned_map.h"

namespace warmpool {

absl::Status AnonymousSource::Make(SizeClass size_class, size_t bytes,
                                   uid_t owner, Purpose /*purpose*/,
                                   Segment* segment) {
  *segment = Segment(size_class, bytes, owner);
  segment->set_zeroed(true);
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  const bool whole_huge_pages = bytes % kHugePageSize == 0;
  const absl::Status mapped =
      whole_huge_pages && kernel_aligns_.load(std::memory_order_relaxed)
          ? PlainMap(calls_, kProtection, kFlags, -1, segment)
          : AlignedMap(calls_, kProtection, kFlags, -1, segment);
  if (!mapped.ok() || bytes < kHugePageSize) return mapped;
  if (reinterpret_cast<uintptr_t>(segment->data()) % kHugePageSize != 0) {
    // This one is as good as any, but for its page size.
    kernel_aligns_.store(false, std::memory_order_relaxed);
    return mapped;
  }
  if (!options_.huge_pages) return mapped;
  // Refused where the kernel is built without transparent huge pages: then
  // small ones do.
  if (calls_.Advise(segment->data(), bytes, MADV_HUGEPAGE) == 0) {
    segment->set_page_bytes(kHugePageSize);
  }
  return mapped;
}

absl::Status AnonymousSource::Populate(const Segment& segment, uint64_t offset,
                                       uint64_t bytes) {
  const int populated = RetryOnInterrupt([&] {
    return calls_.Advise(segment.data() + offset, bytes, MADV_POPULATE_WRITE);
  });
  if (populated >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(-populated, "can't populate private memory");
}

Verdict AnonymousSource::Prove(const Segment&) { return Verdict::kFree; }

Verdict AnonymousSource::Unseal(Segment*) { return Verdict::kFree; }

absl::Status AnonymousSource::Rename(Segment*) { return absl::OkStatus(); }

absl::Status AnonymousSource::SetAside(Segment*) { return absl::OkStatus(); }

absl::StatusOr<uint64_t> AnonymousSource::FreeBytes() { return UINT64_MAX; }

}  // namespace warmpool
