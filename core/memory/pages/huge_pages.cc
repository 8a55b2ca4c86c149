#include "core/memory/pages/huge_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/memory/kernel/retry.h"
#include "core/memory/pages/aligned_map.h"
#include "core/memory/pages/huge_page_support.h"
#include "core/memory/pages/slices.h"
#include "core/memory/size_class.h"

// Debian 12's libc is older than the kernels that have it.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace warmpool {
namespace {

// What a thread takes on at a time. Each call of MADV_COLLAPSE has work done on
// every processor first, however little it is for.
constexpr size_t kSliceBytes = 16 * kMiB;
// Address space only.
constexpr size_t kWindowBytes = SizeClasses::kDefaultMaxBytes;
constexpr int kReserved = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

}  // namespace

HugePages::~HugePages() {
  std::vector<Segment> windows;
  {
    MutexLock lock(&mutex_);
    windows.swap(windows_);
  }
  for (Segment& window : windows) end_window_(std::move(window));
}

absl::Status HugePages::Detect(int directory_fd) {
  // Has no name, so a daemon that is killed in the midst of this leaves
  // nothing.
  const int fd =
      openat(directory_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no huge pages: no scratch file: ", std::strerror(errno)));
  }
  const absl::Cleanup close_fd = [fd] { close(fd); };
  const int filled = TryFill(fd, kHugePageSize, /*max_threads=*/1);
  if (filled < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no huge pages: ", WhyNoHugePages(-filled, fd)));
  }
  method_ = MountGivesHugePages(fd) ? Method::kMount : Method::kCollapse;
  return absl::OkStatus();
}

absl::Status HugePages::Fill(int fd, uint64_t bytes, size_t max_threads) {
  const int filled = TryFill(fd, bytes, max_threads);
  if (filled == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "no huge pages for ", bytes, " bytes: ", WhyNoHugePages(-filled, fd)));
}

int HugePages::TryFill(int fd, uint64_t bytes, size_t max_threads) {
  const int resized =
      RetryOnInterrupt([&] { return calls_.Resize(fd, bytes); });
  if (resized < 0) return resized;
  const uint64_t whole = Whole(bytes);
  Segment window = TakeWindow(whole);
  if (window.empty()) return -ENOMEM;
  const int filled = FillIn(window, fd, whole, max_threads);
  MutexLock lock(&mutex_);
  windows_.push_back(std::move(window));
  return filled;
}

int HugePages::FillIn(const Segment& window, int fd, uint64_t bytes,
                      size_t max_threads) {
  const int64_t mapped = calls_.Map(
      window.data(), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd);
  if (mapped < 0) return static_cast<int>(mapped);
  std::atomic<int> result = 0;
  ForSlices(bytes, kSliceBytes, max_threads,
            [&](size_t offset, size_t slice_bytes) {
              const int filled =
                  FillSlice(window.data() + offset, fd, offset, slice_bytes);
              if (filled < 0) result = filled;
              return filled >= 0;
            });
  // Takes the file out of the window. The file keeps its pages.
  calls_.Map(window.data(), bytes, PROT_NONE, kReserved | MAP_FIXED, -1);
  return result;
}

int HugePages::FillSlice(std::byte* at, int fd, uint64_t offset,
                         uint64_t bytes) {
  const int brought = method_ == Method::kMount
                          ? EnterPages(at, bytes)
                          : WriteOneEach(fd, offset, bytes);
  if (brought < 0) return brought;
  // EAGAIN: something else had hold of a page just then.
  int collapsed = -EAGAIN;
  for (int tries = 0; tries < 2 && collapsed == -EAGAIN; ++tries) {
    collapsed = RetryOnInterrupt(
        [&] { return calls_.Advise(at, bytes, MADV_COLLAPSE); });
  }
  return collapsed;
}

// Each page that is faulted in is a huge one. Not by writing to the file, which
// one thread does at a time.
int HugePages::EnterPages(std::byte* at, uint64_t bytes) {
  return RetryOnInterrupt(
      [&] { return calls_.Advise(at, bytes, MADV_POPULATE_WRITE); });
}

int HugePages::WriteOneEach(int fd, uint64_t offset, uint64_t bytes) {
  constexpr char kZero = 0;
  for (uint64_t done = 0; done < bytes; done += kHugePageSize) {
    // Not a store, since that to a full filesystem's file would be a SIGBUS.
    const int64_t written = RetryOnInterrupt(
        [&] { return calls_.Write(fd, &kZero, sizeof(kZero), offset + done); });
    if (written < 0) return static_cast<int>(written);
  }
  return 0;
}

Segment HugePages::TakeWindow(size_t bytes) {
  {
    MutexLock lock(&mutex_);
    const auto fits = std::find_if(
        windows_.begin(), windows_.end(),
        [bytes](const Segment& window) { return window.bytes() >= bytes; });
    if (fits != windows_.end()) {
      Segment window = std::move(*fits);
      windows_.erase(fits);
      return window;
    }
  }
  Segment window(SizeClass(), std::max(bytes, kWindowBytes), geteuid());
  if (AlignedMap(calls_, PROT_NONE, kReserved, -1, &window).ok()) {
    return window;
  }
  // What AlignedMap may have left.
  if (!window.empty()) end_window_(std::move(window));
  return Segment();
}

}  // namespace warmpool
