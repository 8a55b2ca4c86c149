#include "core/memory/directory/segment_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/memory/directory/directory_claim.h"
#include "core/memory/directory/directory_lock.h"
#include "core/memory/directory/own_directory.h"
#include "core/memory/directory/proof_check.h"
#include "core/memory/kernel/descriptor_limit.h"
#include "core/memory/kernel/retry.h"
#include "core/memory/pages/reopen.h"

namespace warmpool {
namespace {

// Nobody's in particular: no process of a healthy system runs as it for long.
constexpr uid_t kSomeOtherUid = 65534;

}  // namespace

bool SegmentDirectory::MayServeOtherUids() {
  if (geteuid() != 0) return false;
  std::ifstream map("/proc/self/uid_map");
  if (!map) return true;
  uint64_t inside = 0, outside = 0, count = 0, uids = 0;
  while (map >> inside >> outside >> count) uids += count;
  return uids > 1;
}

absl::StatusOr<std::unique_ptr<SegmentDirectory>> SegmentDirectory::Open(
    const std::string& path, absl::string_view tenant, SystemCalls* calls,
    RandomSource* random, const Options& options) {
  const std::string absolute = std::filesystem::absolute(path).string();
  const absl::StatusOr<int> directory_fd = OpenOwnDirectory(
      absolute, options.serves_other_uids ? kPassableMode : kPrivateMode);
  if (!directory_fd.ok()) return directory_fd.status();
  const absl::StatusOr<int> lock_fd =
      LockDirectory(*directory_fd, absolute, tenant);
  if (!lock_fd.ok()) {
    close(*directory_fd);
    // If it was made just now, or is a daemon's that has just ended.
    rmdir(absolute.c_str());
    return lock_fd.status();
  }
  const absl::StatusOr<int> private_fd =
      OpenPrivateDirectoryIn(*directory_fd, absolute);
  if (!private_fd.ok()) {
    UnlockDirectory(*directory_fd, *lock_fd, absolute);
    return private_fd.status();
  }
  const absl::Status claimed =
      ClaimDirectory(*directory_fd, *private_fd, absolute);
  if (!claimed.ok()) {
    ClosePrivateDirectoryIn(*directory_fd, *private_fd);
    UnlockDirectory(*directory_fd, *lock_fd, absolute);
    return claimed;
  }
  signal(SIGIO, SIG_IGN);
  // From here on it cleans up behind itself.
  std::unique_ptr<SegmentDirectory> directory(new SegmentDirectory(
      absolute, *directory_fd, *lock_fd, *private_fd, calls, random, options));
  RETURN_IF_ERROR(
      CheckProof(*calls, *private_fd, absolute,
                 options.serves_other_uids ? kSomeOtherUid : geteuid()));
  if (options.huge_pages == HugePages::Use::kNever) return directory;
  directory->huge_page_support_ = directory->huge_pages_.Detect(*private_fd);
  if (options.huge_pages == HugePages::Use::kRequire &&
      !directory->huge_page_support_.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("huge pages are required in ", absolute, ": ",
                     directory->huge_page_support_.message()));
  }
  return directory;
}

SegmentDirectory::SegmentDirectory(std::string path, int directory_fd,
                                   int lock_fd, int private_directory_fd,
                                   SystemCalls* calls, RandomSource* random,
                                   const Options& options)
    : path_(std::move(path)),
      directory_fd_(directory_fd),
      lock_fd_(lock_fd),
      private_directory_fd_(private_directory_fd),
      serves_other_uids_(options.serves_other_uids),
      served_uids_(options.served_uids),
      calls_(*calls),
      random_(*random),
      descriptors_(options.max_open_segments, calls),
      memory_room_(options.memory_room),
      use_huge_pages_(options.huge_pages),
      on_small_pages_(options.on_small_pages),
      huge_pages_(calls, options.end_window) {}

SegmentDirectory::~SegmentDirectory() {
  UnclaimDirectory(directory_fd_, private_directory_fd_);
  ClosePrivateDirectoryIn(directory_fd_, private_directory_fd_);
  UnlockDirectory(directory_fd_, lock_fd_, path_);
}

int SegmentDirectory::OpenWithRoom(absl::FunctionRef<int()> open) {
  const int fd = RetryOnInterrupt(open);
  if (fd >= 0 || !LacksDescriptors(-fd) || !descriptors_.CloseOldest()) {
    return fd;
  }
  return RetryOnInterrupt(open);
}

uid_t SegmentDirectory::ProverOf(const Segment& segment) const {
  // A daemon's own does not change; geteuid(2) is a system call.
  static const uid_t self = geteuid();
  return serves_other_uids_ ? segment.owner() : self;
}

Verdict SegmentDirectory::Prove(const Segment& segment) {
  bool keep = false;
  const int fd = OpenToProve(segment, &keep);
  // Nobody can open it by the path in the lease, and whoever may still have it
  // can't be told without a descriptor: there is nothing left to wait for.
  if (fd == -ENOENT) return Verdict::kUnfit;
  // No descriptor is left, or its client keeps it shut: for the moment.
  if (fd < 0) return Verdict::kInUse;
  const Verdict verdict = ProveOpen(segment, fd);
  PutBack(segment, fd, keep);
  return verdict;
}

int SegmentDirectory::OpenToProve(const Segment& segment, bool* keep) {
  *keep = segment.was_opened();
  if (*keep) {
    int fd = descriptors_.Take(segment.parts().descriptor_key);
    if (fd >= 0) return fd;
    // For writing too, as its end may have to truncate it.
    fd = OpenWithRoom([&] {
      return Reopen(calls_, segment.parts(),
                    segment.sealed() ? O_RDONLY : O_RDWR);
    });
    if (fd != -EACCES) return fd;
  }
  *keep = false;
  return OpenWithRoom(
      [&] { return Reopen(calls_, segment.parts(), O_RDONLY); });
}

Verdict SegmentDirectory::ProveOpen(const Segment& segment, int fd) {
  const uid_t prover = ProverOf(segment);
  const int taken = RetryOnInterrupt(
      [&] { return calls_.SetFileLease(fd, F_WRLCK, prover); });
  if (taken < 0) return Verdict::kInUse;
  const Verdict verdict = Inspect(segment, fd);
  RetryOnInterrupt([&] { return calls_.SetFileLease(fd, F_UNLCK, prover); });
  return verdict;
}

Verdict SegmentDirectory::Inspect(const Segment& segment, int fd) {
  FileState state;
  const auto look = [&] {
    return RetryOnInterrupt([&] { return calls_.State(fd, &state); }) >= 0;
  };
  if (!look()) return Verdict::kInUse;
  // Nothing else is known of one that could not be opened when it was found.
  // Another mode or owner would let in whom the next holder does not expect.
  const bool intact =
      segment.was_opened() && state.links == 1 &&
      state.size_bytes == segment.bytes() &&
      state.allocated_bytes >= segment.bytes() &&
      state.mode == (segment.sealed() ? kSealedMode : kSegmentMode) &&
      state.owner == ProverOf(segment);
  if (!intact) return Verdict::kUnfit;
  // It is open for reading only. Unsealed, it is proven again.
  if (segment.sealed()) return Verdict::kFree;
  // The kernel counts what a client allocated beyond the end like any other
  // page. Cut to the length that it has, the file has none, and as many pages
  // as it has bytes are all of them.
  const int cut =
      RetryOnInterrupt([&] { return calls_.Resize(fd, segment.bytes()); });
  if (cut < 0 || !look()) return Verdict::kInUse;
  return state.allocated_bytes == segment.bytes() ? Verdict::kFree
                                                  : Verdict::kUnfit;
}

absl::StatusOr<FilesystemBytes> SegmentDirectory::FilesystemSpace() {
  FilesystemBytes bytes;
  const int result = RetryOnInterrupt(
      [&] { return calls_.FilesystemSpace(directory_fd_, &bytes); });
  if (result < 0) {
    return absl::ErrnoToStatus(
        -result, absl::StrCat("can't tell what ", path_, " has free"));
  }
  return bytes;
}

absl::StatusOr<uint64_t> SegmentDirectory::FreeBytes() {
  ASSIGN_OR_RETURN(const FilesystemBytes space, FilesystemSpace());
  const std::optional<uint64_t> allowed =
      memory_room_ != nullptr ? memory_room_->FreeBytes() : std::nullopt;
  return std::min(space.free, allowed.value_or(space.free));
}

std::string SegmentDirectory::PathOf(const Segment& segment) const {
  return absl::StrCat(path_, "/", segment.set_aside() ? "private/" : "",
                      segment.file_name());
}

}  // namespace warmpool
