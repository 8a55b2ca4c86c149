// AnonymousSource: private anonymous memory, for the engine as an allocator
// within one process. Pages come at first touch, as malloc's do.
#ifndef WARMPOOL_CORE_MEMORY_PAGES_ANONYMOUS_SOURCE_H_
#define WARMPOOL_CORE_MEMORY_PAGES_ANONYMOUS_SOURCE_H_

#include <atomic>

#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment_source.h"

namespace warmpool {

// Thread-safe.
class AnonymousSource final : public SegmentSource {
 public:
  struct Options {
    // Ask for 2 MiB pages from 2 MiB up (MADV_HUGEPAGE): one fault instead of
    // 512. Where the kernel gives none, 4 KiB pages come.
    bool huge_pages = true;
  };

  // `calls` must outlive this.
  AnonymousSource(SystemCalls* calls, const Options& options)
      : calls_(*calls), options_(options) {}
  explicit AnonymousSource(SystemCalls* calls)
      : AnonymousSource(calls, Options()) {}

  absl::Status Make(SizeClass size_class, size_t bytes, uid_t owner,
                    Purpose purpose, Segment* segment) override;
  // By MADV_POPULATE_WRITE.
  absl::Status Populate(const Segment& segment, uint64_t offset,
                        uint64_t bytes) override;
  // Always kFree: nobody else can reach private memory.
  Verdict Prove(const Segment& segment) override;
  Verdict Unseal(Segment* segment) override;
  absl::Status Rename(Segment* segment) override;
  absl::Status SetAside(Segment* segment) override;
  // Unbounded: overcommit decides at first touch.
  absl::StatusOr<uint64_t> FreeBytes() override;

 private:
  SystemCalls& calls_;
  const Options options_;
  // Since Linux 6.7 the kernel aligns a mapping of whole huge pages by itself,
  // and lays it beside the one before: one call, no slack in between, and
  // neighbours that are one mapping to the kernel. Until it has shown that it
  // does not.
  std::atomic<bool> kernel_aligns_{true};
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_PAGES_ANONYMOUS_SOURCE_H_
