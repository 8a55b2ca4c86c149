#include "core/memory/huge_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/base/check.h"
#include "core/memory/aligned_map.h"
#include "core/memory/retry.h"
#include "core/memory/size_class.h"

// Debian 12's libc is older than the kernels that have it.
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

namespace warmpool {
namespace {

constexpr char kScratchName[] = "huge-page-check";
// Address space only.
constexpr size_t kWindowBytes = SizeClasses::kDefaultMaxBytes;
constexpr int kReserved = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

// The options of the filesystem that an open file is on, as its mount tells them
// (proc_pid_mountinfo(5)): "rw,size=1048576k,huge=within_size".
std::string FilesystemOptions(int fd) {
  struct stat file;
  if (fstat(fd, &file) < 0) return "";
  const std::string device =
      absl::StrCat(major(file.st_dev), ":", minor(file.st_dev));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    if (fields.size() > 2 && fields[2] == device) {
      return std::string(fields.back());
    }
  }
  return "";
}

bool HasHugePages(absl::string_view options) {
  for (const absl::string_view option : absl::StrSplit(options, ',')) {
    if (option == "huge=always" || option == "huge=within_size") return true;
  }
  return false;
}

}  // namespace

HugePages::~HugePages() {
  MutexLock lock(&mutex_);
  WARMPOOL_CHECK(windows_.empty(), "windows of HugePages leak");
}

HugePages::Method HugePages::Detect(int directory_fd, std::string* reason) {
  // Left by a daemon that was killed in the midst of this.
  unlinkat(directory_fd, kScratchName, 0);
  const int fd = openat(directory_fd, kScratchName,
                        O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    *reason = absl::StrCat("no scratch file: ", std::strerror(errno));
    return method_;
  }
  unlinkat(directory_fd, kScratchName, 0);
  const absl::Cleanup close_fd = [fd] { close(fd); };
  if (HasHugePages(FilesystemOptions(fd))) {
    method_ = Method::kMount;
    return method_;
  }
  const int collapsed = TryCollapse(fd, kHugePageSize);
  if (collapsed == 0) {
    method_ = Method::kCollapse;
  } else {
    *reason = absl::StrCat("madvise(MADV_COLLAPSE) of shared memory: ",
                           std::strerror(-collapsed));
  }
  return method_;
}

int HugePages::TryCollapse(int fd, uint64_t bytes) {
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

void HugePages::Clear(int fd, uint64_t bytes) {
  // Should it fail, the first user of a page has it cleared.
  (void)WriteOneEach(fd, Whole(bytes));
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

Segment HugePages::TakeWindow(size_t bytes) {
  {
    MutexLock lock(&mutex_);
    const auto fits = std::find_if(
        windows_.begin(), windows_.end(),
        [bytes](const Segment& window) {
          return window.data() != nullptr && window.bytes() >= bytes;
        });
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
  MutexLock lock(&mutex_);
  // What AlignedMap may have left, for whoever ends the windows.
  if (!window.empty()) windows_.push_back(std::move(window));
  return Segment();
}

std::vector<Segment> HugePages::TakeWindows() {
  MutexLock lock(&mutex_);
  return std::exchange(windows_, {});
}

}  // namespace warmpool
