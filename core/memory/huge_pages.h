// HugePages: fills a file of a tmpfs with pages of 2 MiB, which no mount option
// and no privilege is needed for: one byte written per 2 MiB, the file mapped at
// an aligned address, and MADV_COLLAPSE (Linux 6.1) asked to make one page of
// each. What the file lacks comes as zeros. Measured for 2 MiB: 50-94 us instead
// of the 500 us of 512 small pages.
//
// Where the tmpfs is mounted with huge=always or within_size, fallocate(2) takes
// huge pages by itself; what is left to do is to have each of them cleared, by a
// byte written into it, so that its first user does not wait for that.
//
// The file is mapped for that moment only, in a window: a range of addresses
// that is reserved once and used again, so that a daemon's mappings do not grow
// with its segments (vm.max_map_count). Nothing is read or written through it.
//
// Thread-safe; its lock is held over no system call.
#ifndef WARMPOOL_CORE_MEMORY_HUGE_PAGES_H_
#define WARMPOOL_CORE_MEMORY_HUGE_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "core/memory/segment.h"
#include "core/memory/system_calls.h"

namespace warmpool {

class HugePages {
 public:
  // How a filesystem comes by them.
  enum class Method {
    // Not at all.
    kNone,
    // Small pages are collapsed.
    kCollapse,
    // The mount's own: fallocate takes them.
    kMount,
  };

  // `calls` must outlive this.
  explicit HugePages(SystemCalls* calls) : calls_(*calls) {}
  // REQUIRES: the windows were taken.
  ~HugePages();

  // Finds out what can be had in an open directory, on a scratch file in it.
  // To be called once, before anything else. `*reason`: where there are none,
  // why.
  Method Detect(int directory_fd, std::string* reason);

  // kNone until Detect.
  Method method() const { return method_; }

  // Bytes, from the front of a file of `bytes`, that could have huge pages.
  static uint64_t Whole(uint64_t bytes) {
    return bytes / kHugePageSize * kHugePageSize;
  }

  // For a file that has no pages, with kCollapse: makes it `bytes` long and
  // gives it huge pages as far as Whole(bytes). False: the kernel has not enough
  // free ones, or the filesystem no room; fallocate(2) tells, and completes what
  // was begun.
  bool Collapse(int fd, uint64_t bytes) { return TryCollapse(fd, bytes) == 0; }

  // For a file that fallocate(2) has filled, with kMount: clears its pages.
  void Clear(int fd, uint64_t bytes);

  // To be ended by UnmapBatch.
  std::vector<Segment> TakeWindows();

 private:
  // A byte into every huge page: 0, or -errno.
  int WriteOneEach(int fd, uint64_t bytes);
  // A window of at least `bytes`; empty: no address space.
  Segment TakeWindow(size_t bytes);
  // As Collapse: 0, or -errno.
  int TryCollapse(int fd, uint64_t bytes);
  int CollapseIn(const Segment& window, int fd, uint64_t bytes);

  SystemCalls& calls_;
  Method method_ = Method::kNone;

  Mutex mutex_;
  // Those that nobody uses, as many as were ever used at once.
  std::vector<Segment> windows_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_HUGE_PAGES_H_
