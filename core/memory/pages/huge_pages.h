// HugePages: fills a file of a tmpfs with pages of 2 MiB, for which no mount
// option and no privilege is needed: one byte written per 2 MiB, the file
// mapped at an aligned address, and MADV_COLLAPSE (Linux 6.1) asked to make one
// page of each. What the file lacks comes as zeros.
//
// Where the tmpfs is mounted with huge=always or within_size, every fault
// brings a huge page by itself: they are faulted in (MADV_POPULATE_WRITE), and
// MADV_COLLAPSE finds nothing to do: it makes sure. Measured for 2 MiB and 64
// MiB on one thread (AMD EPYC VM, Linux 6.18, a busy machine): 142 us and 5.7
// ms on a plain /dev/shm, 69 us and 4.7 ms on huge=within_size, 550 us and 18
// ms for fallocate's small pages. Collapsing after fallocate instead of before
// takes as long again as fallocate.
//
// The file is mapped for that moment only, in a window: a range of addresses
// that is reserved once and used again, so that a daemon's mappings do not grow
// with its segments (vm.max_map_count). Nothing is read or written through it.
//
// Clearing pages is what takes the time, and two processors do it twice as
// fast: 1 GiB on a plain /dev/shm in 76 ms instead of 170, 64 MiB in 3.3
// instead of 4.5 (Intel Xeon VM, 2 cores, Linux 6.18, a quiet machine).
//
// Thread-safe; its lock is held over no system call.
#ifndef WARMPOOL_CORE_MEMORY_PAGES_HUGE_PAGES_H_
#define WARMPOOL_CORE_MEMORY_PAGES_HUGE_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"

namespace warmpool {

class HugePages {
 public:
  // Whether files are to have them.
  enum class Use {
    kNever,
    // Where they can be had, else 4 KiB pages.
    kAuto,
    // Or there is no file.
    kRequire,
  };

  // How a filesystem comes by them.
  enum class Method {
    // Not at all.
    kNone,
    // Small pages are collapsed.
    kCollapse,
    // The mount gives them.
    kMount,
  };

  // For Fill: enough to be sure of a gain where other processors are busy.
  static constexpr size_t kMaxThreads = 4;

  // Ends a window: only Batch may munmap.
  using EndWindow = std::function<void(Segment window)>;

  // `calls` must outlive this.
  HugePages(SystemCalls* calls, EndWindow end_window)
      : calls_(*calls), end_window_(std::move(end_window)) {}
  ~HugePages();

  // Finds out what can be had in an open directory, on a file without a name.
  // To be called once, before anything else. FAILED_PRECONDITION, telling
  // reason and remedy: nothing.
  absl::Status Detect(int directory_fd);

  // kNone until Detect.
  Method method() const { return method_; }

  // Bytes, from the front of a file of `bytes`, that could have huge pages.
  static uint64_t Whole(uint64_t bytes) {
    return bytes / kHugePageSize * kHugePageSize;
  }

  // For an empty file: makes it `bytes` long and gives it huge pages as far as
  // Whole(bytes). fallocate(2) is to follow, whatever this returns: it
  // completes what was begun, and tells whether the filesystem has the room.
  // RESOURCE_EXHAUSTED, telling reason and remedy: not all of them are huge.
  // On up to `max_threads` threads, where there is enough for each.
  absl::Status Fill(int fd, uint64_t bytes, size_t max_threads);

 private:
  // As Fill: 0, or -errno.
  int TryFill(int fd, uint64_t bytes, size_t max_threads);
  int FillIn(const Segment& window, int fd, uint64_t bytes, size_t max_threads);
  // `at`: where the slice at `offset` of the file is mapped.
  int FillSlice(std::byte* at, int fd, uint64_t offset, uint64_t bytes);
  int EnterPages(std::byte* at, uint64_t bytes);
  int WriteOneEach(int fd, uint64_t offset, uint64_t bytes);
  // A window of at least `bytes`; empty: no address space.
  Segment TakeWindow(size_t bytes);

  SystemCalls& calls_;
  const EndWindow end_window_;
  Method method_ = Method::kNone;

  Mutex mutex_;
  // Those that nobody uses, as many as were ever used at once.
  std::vector<Segment> windows_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_PAGES_HUGE_PAGES_H_
