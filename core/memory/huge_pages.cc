#include "core/memory/huge_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/memory/aligned_map.h"
#include "core/memory/huge_page_support.h"
#include "core/memory/retry.h"
#include "core/memory/size_class.h"

// Debian 12's libc is older than the kernels that have it.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace warmpool {
namespace {

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
  // Has no name, so a daemon that is killed in the midst of this leaves nothing.
  const int fd =
      openat(directory_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "no huge pages: no scratch file: ", std::strerror(errno)));
  }
  const absl::Cleanup close_fd = [fd] { close(fd); };
  const int filled = TryFill(fd, kHugePageSize);
  if (filled < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no huge pages: ", WhyNoHugePages(-filled, fd)));
  }
  method_ = MountGivesHugePages(fd) ? Method::kMount : Method::kCollapse;
  return absl::OkStatus();
}

absl::Status HugePages::Fill(int fd, uint64_t bytes) {
  const int filled = TryFill(fd, bytes);
  if (filled == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("no huge pages for ", bytes, " bytes: ",
                   WhyNoHugePages(-filled, fd)));
}

int HugePages::TryFill(int fd, uint64_t bytes) {
  const uint64_t whole = Whole(bytes);
  int result = RetryOnInterrupt([&] { return calls_.Resize(fd, bytes); });
  // By pwrite, since a store to a full filesystem's file would be a SIGBUS.
  if (result >= 0) result = WriteOneEach(fd, whole);
  if (result < 0) return result;
  Segment window = TakeWindow(whole);
  if (window.empty()) return -ENOMEM;
  result = CollapseIn(window, fd, whole);
  MutexLock lock(&mutex_);
  windows_.push_back(std::move(window));
  return result;
}

int HugePages::WriteOneEach(int fd, uint64_t bytes) {
  constexpr char kZero = 0;
  for (uint64_t offset = 0; offset < bytes; offset += kHugePageSize) {
    const int64_t written = RetryOnInterrupt(
        [&] { return calls_.Write(fd, &kZero, sizeof(kZero), offset); });
    if (written < 0) return static_cast<int>(written);
  }
  return 0;
}

int HugePages::CollapseIn(const Segment& window, int fd, uint64_t bytes) {
  const int64_t mapped =
      calls_.Map(window.data(), bytes, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_FIXED, fd);
  if (mapped < 0) return static_cast<int>(mapped);
  // EAGAIN: something else had hold of a page just then.
  int collapsed = -EAGAIN;
  for (int tries = 0; tries < 2 && collapsed == -EAGAIN; ++tries) {
    collapsed = RetryOnInterrupt(
        [&] { return calls_.Advise(window.data(), bytes, MADV_COLLAPSE); });
  }
  // Takes the file out of the window. The file keeps its pages.
  calls_.Map(window.data(), bytes, PROT_NONE, kReserved | MAP_FIXED, -1);
  return collapsed;
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
