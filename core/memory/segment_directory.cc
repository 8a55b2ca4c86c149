#include "core/memory/segment_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/memory/directory_claim.h"
#include "core/memory/directory_lock.h"
#include "core/memory/proof_check.h"
#include "core/memory/retry.h"
#include "core/memory/segment_name.h"

namespace warmpool {
namespace {

constexpr mode_t kSegmentMode = 0600;
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
    return lock_fd.status();
  }
  const absl::StatusOr<int> private_fd =
      OpenPrivateDirectoryIn(*directory_fd, absolute, kPrivateName);
  if (!private_fd.ok()) {
    UnlockDirectory(*directory_fd, *lock_fd, absolute);
    return private_fd.status();
  }
  const absl::Status claimed =
      ClaimDirectory(*directory_fd, *private_fd, absolute);
  if (!claimed.ok()) {
    ClosePrivateDirectoryIn(*directory_fd, *private_fd, kPrivateName);
    UnlockDirectory(*directory_fd, *lock_fd, absolute);
    return claimed;
  }
  signal(SIGIO, SIG_IGN);
  // From here on it cleans up behind itself.
  std::unique_ptr<SegmentDirectory> directory(
      new SegmentDirectory(absolute, *directory_fd, *lock_fd, *private_fd,
                           calls, random, options));
  const absl::Status proof =
      CheckProof(*calls, *private_fd, absolute,
                 options.serves_other_uids ? kSomeOtherUid : geteuid());
  if (!proof.ok()) return proof;
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
      random_(*random) {}

SegmentDirectory::~SegmentDirectory() {
  UnclaimDirectory(directory_fd_, private_directory_fd_);
  ClosePrivateDirectoryIn(directory_fd_, private_directory_fd_, kPrivateName);
  UnlockDirectory(directory_fd_, lock_fd_, path_);
}

absl::Status SegmentDirectory::Make(SizeClass size_class, size_t bytes,
                                    uid_t owner, Segment* segment) {
  *segment = Segment(size_class, bytes, owner);
  const std::string name = SegmentName(random_.Next());
  const int fd = RetryOnInterrupt([&] {
    return calls_.Open(directory_fd_, name, O_RDWR | O_CREAT | O_EXCL,
                       kSegmentMode);
  });
  if (fd < 0) {
    return absl::ErrnoToStatus(
        -fd, absl::StrCat("can't create a segment of ", bytes, " bytes in ",
                          path_));
  }
  segment->parts().fd = fd;
  segment->parts().file_name = name;
  segment->parts().directory_fd = directory_fd_;
  const absl::Status given = GiveAway(*segment);
  return given.ok() ? AllocateAll(segment) : given;
}

absl::Status SegmentDirectory::GiveAway(const Segment& segment) {
  const uid_t owner = ProverOf(segment);
  if (owner == geteuid()) return absl::OkStatus();
  const int given = RetryOnInterrupt(
      [&] { return calls_.ChangeOwner(segment.fd(), owner); });
  if (given >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(
      -given, absl::StrCat("can't give a segment to uid ", owner));
}

absl::Status SegmentDirectory::AllocateAll(Segment* segment) {
  const size_t bytes = segment->bytes();
  const int allocated =
      RetryOnInterrupt([&] { return calls_.Allocate(segment->fd(), bytes); });
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

uid_t SegmentDirectory::ProverOf(const Segment& segment) const {
  // A daemon's own does not change; geteuid(2) is a system call.
  static const uid_t self = geteuid();
  return serves_other_uids_ ? segment.owner() : self;
}

Verdict SegmentDirectory::Prove(const Segment& segment) {
  if (segment.fd() < 0) return ProveUnopened(segment);
  const uid_t prover = ProverOf(segment);
  const int taken = RetryOnInterrupt(
      [&] { return calls_.SetLease(segment.fd(), F_WRLCK, prover); });
  if (taken < 0) return Verdict::kInUse;
  FileState state;
  const int known =
      RetryOnInterrupt([&] { return calls_.State(segment.fd(), &state); });
  RetryOnInterrupt(
      [&] { return calls_.SetLease(segment.fd(), F_UNLCK, prover); });
  if (known < 0) return Verdict::kInUse;
  // Another mode would let in whom the next holder does not expect.
  const bool intact = state.links == 1 && state.size_bytes == segment.bytes() &&
                      state.allocated_bytes >= segment.bytes() &&
                      state.mode == kSegmentMode;
  return intact ? Verdict::kFree : Verdict::kUnfit;
}

Verdict SegmentDirectory::ProveUnopened(const Segment& segment) {
  const int directory_fd =
      segment.set_aside() ? private_directory_fd_ : directory_fd_;
  // For reading, which a file's mode refuses least, and which a program that
  // runs from it allows.
  const int fd = RetryOnInterrupt([&] {
    return calls_.Open(directory_fd, segment.file_name(),
                       O_RDONLY | O_NONBLOCK, 0);
  });
  if (fd == -ENOENT) return Verdict::kUnfit;
  if (fd < 0) return Verdict::kInUse;
  const uid_t prover = ProverOf(segment);
  const int taken = RetryOnInterrupt(
      [&] { return calls_.SetLease(fd, F_WRLCK, prover); });
  // Closing it gives the lease back.
  calls_.Close(fd);
  return taken < 0 ? Verdict::kInUse : Verdict::kUnfit;
}

absl::Status SegmentDirectory::SetAside(Segment* segment) {
  if (segment->set_aside()) return absl::OkStatus();
  const std::string& name = segment->file_name();
  const int moved = RetryOnInterrupt([&] {
    return calls_.Rename(directory_fd_, name, private_directory_fd_, name,
                         RENAME_NOREPLACE);
  });
  if (moved < 0) {
    return absl::ErrnoToStatus(
        -moved, absl::StrCat("can't set aside segment ", PathOf(*segment),
                             moved == -ENOENT
                                 ? ": its client renamed or removed it"
                                 : ""));
  }
  segment->parts().directory_fd = private_directory_fd_;
  segment->parts().set_aside = true;
  return absl::OkStatus();
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
  return absl::StrCat(path_, "/", segment.set_aside() ? "private/" : "",
                      segment.file_name());
}

}  // namespace warmpool
