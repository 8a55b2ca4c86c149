#include "core/memory/segment_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/memory/directory_lock.h"
#include "core/memory/retry.h"

namespace warmpool {
namespace {

constexpr absl::string_view kSegmentSuffix = ".seg";

bool IsSegmentName(absl::string_view name) {
  return absl::ConsumeSuffix(&name, kSegmentSuffix) &&
         RandomId::FromHex(name).has_value();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentDirectory>> SegmentDirectory::Open(
    const std::string& path, absl::string_view tenant, SystemCalls* calls,
    RandomSource* random) {
  const std::string absolute = std::filesystem::absolute(path).string();
  const absl::StatusOr<int> directory_fd = OpenPrivateDirectory(absolute);
  if (!directory_fd.ok()) return directory_fd.status();
  const absl::StatusOr<int> lock_fd =
      LockDirectory(*directory_fd, absolute, tenant);
  if (!lock_fd.ok()) {
    close(*directory_fd);
    return lock_fd.status();
  }
  signal(SIGIO, SIG_IGN);
  return std::unique_ptr<SegmentDirectory>(new SegmentDirectory(
      absolute, *directory_fd, *lock_fd, calls, random));
}

SegmentDirectory::SegmentDirectory(std::string path, int directory_fd,
                                   int lock_fd, SystemCalls* calls,
                                   RandomSource* random)
    : path_(std::move(path)),
      directory_fd_(directory_fd),
      lock_fd_(lock_fd),
      calls_(*calls),
      random_(*random) {}

SegmentDirectory::~SegmentDirectory() {
  UnlockDirectory(directory_fd_, lock_fd_, path_);
}

absl::Status SegmentDirectory::Make(SizeClass size_class, size_t bytes,
                                    uid_t owner, Segment* segment) {
  *segment = Segment(size_class, bytes, owner);
  const std::string name = absl::StrCat(random_.Next().ToHex(), kSegmentSuffix);
  const int fd = RetryOnInterrupt([&] {
    return calls_.Open(directory_fd_, name, O_RDWR | O_CREAT | O_EXCL, 0600);
  });
  if (fd < 0) {
    return absl::ErrnoToStatus(
        -fd, absl::StrCat("can't create a segment of ", bytes, " bytes in ",
                          path_));
  }
  segment->parts().fd = fd;
  segment->parts().file_name = name;
  segment->parts().directory_fd = directory_fd_;

  const int allocated =
      RetryOnInterrupt([&] { return calls_.Allocate(fd, bytes); });
  if (allocated == -ENOSPC) {
    const absl::StatusOr<uint64_t> free = FreeBytes();
    return absl::ResourceExhaustedError(absl::StrCat(
        "no room for a segment of ", bytes, " bytes in ", path_, ": ",
        free.ok() ? absl::StrCat(*free, " bytes free")
                  : std::string(free.status().message())));
  }
  if (allocated < 0) {
    return absl::ErrnoToStatus(
        -allocated,
        absl::StrCat("can't allocate a segment of ", bytes, " bytes"));
  }
  segment->set_zeroed(true);
  return absl::OkStatus();
}

Verdict SegmentDirectory::Prove(const Segment& segment) {
  const int taken = RetryOnInterrupt(
      [&] { return calls_.SetLease(segment.fd(), F_WRLCK); });
  if (taken < 0) return Verdict::kInUse;
  FileState state;
  const int known =
      RetryOnInterrupt([&] { return calls_.State(segment.fd(), &state); });
  RetryOnInterrupt([&] { return calls_.SetLease(segment.fd(), F_UNLCK); });
  if (known < 0) return Verdict::kInUse;
  const bool intact = state.links == 1 && state.size_bytes == segment.bytes() &&
                      state.allocated_bytes >= segment.bytes();
  return intact ? Verdict::kFree : Verdict::kUnfit;
}

absl::StatusOr<uint64_t> SegmentDirectory::FreeBytes() {
  uint64_t bytes = 0;
  const int result = RetryOnInterrupt(
      [&] { return calls_.FilesystemFree(directory_fd_, &bytes); });
  if (result < 0) {
    return absl::ErrnoToStatus(-result,
                               absl::StrCat("can't tell what ", path_, " has free"));
  }
  return bytes;
}

std::string SegmentDirectory::PathOf(const Segment& segment) const {
  return absl::StrCat(path_, "/", segment.file_name());
}

std::vector<Segment> SegmentDirectory::FindLeftovers(
    const SizeClasses& size_classes, std::vector<std::string>* unknown) {
  std::vector<Segment> leftovers;
  DIR* const directory = opendir(path_.c_str());
  if (directory == nullptr) return leftovers;
  const absl::Cleanup close_directory = [directory] { closedir(directory); };
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || name == kLockFileName) continue;
    if (!IsSegmentName(name)) {
      unknown->push_back(name);
      continue;
    }
    const int fd = RetryOnInterrupt(
        [&] { return calls_.Open(directory_fd_, name, O_RDWR, 0); });
    if (fd < 0) {
      unknown->push_back(name);
      continue;
    }
    FileState state;
    const int known =
        RetryOnInterrupt([&] { return calls_.State(fd, &state); });
    // A file that was never allocated, or was resized by a client, has the
    // class of whatever it takes.
    const uint64_t bytes = known < 0 ? 0 : state.allocated_bytes;
    const absl::StatusOr<SizeClass> size_class =
        size_classes.For(bytes == 0 ? kPageSize : bytes);
    Segment segment(size_class.value_or(SizeClass()), bytes, geteuid());
    segment.parts().fd = fd;
    segment.parts().file_name = name;
    segment.parts().directory_fd = directory_fd_;
    leftovers.push_back(std::move(segment));
  }
  return leftovers;
}

}  // namespace warmpool
