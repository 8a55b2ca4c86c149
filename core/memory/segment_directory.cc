#include "core/memory/segment_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/memory/directory_lock.h"
#include "core/memory/proof_check.h"
#include "core/memory/retry.h"

namespace warmpool {
namespace {

constexpr absl::string_view kSegmentSuffix = ".seg";
constexpr mode_t kSegmentMode = 0600;
constexpr char kPrivateName[] = "private";
// Nobody's in particular: no process of a healthy system runs as it for long.
constexpr uid_t kSomeOtherUid = 65534;

bool IsSegmentName(absl::string_view name) {
  return absl::ConsumeSuffix(&name, kSegmentSuffix) &&
         RandomId::FromHex(name).has_value();
}

absl::StatusOr<std::vector<std::string>> NamesIn(int directory_fd,
                                                 const std::string& path) {
  // A description of its own, which the stream closes and whose position
  // nobody else moves.
  const int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* const directory = fd < 0 ? nullptr : fdopendir(fd);
  if (directory == nullptr) {
    const absl::Status status =
        absl::ErrnoToStatus(errno, absl::StrCat("can't list ", path));
    if (fd >= 0) close(fd);
    return status;
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory)) {
    const absl::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int error = errno;
  closedir(directory);
  if (error != 0) {
    return absl::ErrnoToStatus(error, absl::StrCat("can't list ", path));
  }
  return names;
}

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
      calls_(*calls),
      random_(*random) {}

SegmentDirectory::~SegmentDirectory() {
  ClosePrivateDirectoryIn(directory_fd_, private_directory_fd_, kPrivateName);
  UnlockDirectory(directory_fd_, lock_fd_, path_);
}

absl::Status SegmentDirectory::Make(SizeClass size_class, size_t bytes,
                                    uid_t owner, Segment* segment) {
  *segment = Segment(size_class, bytes, owner);
  const std::string name = absl::StrCat(random_.Next().ToHex(), kSegmentSuffix);
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
  return serves_other_uids_ ? segment.owner() : geteuid();
}

Verdict SegmentDirectory::Prove(const Segment& segment) {
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

absl::StatusOr<std::vector<Segment>> SegmentDirectory::FindLeftovers(
    const SizeClasses& size_classes, std::vector<std::string>* unknown) {
  std::vector<Segment> leftovers;
  absl::Status status =
      OpenLeftovers(size_classes, /*set_aside=*/false, &leftovers, unknown);
  if (status.ok()) {
    status = OpenLeftovers(size_classes, /*set_aside=*/true, &leftovers, unknown);
  }
  if (status.ok()) return leftovers;
  for (Segment& segment : leftovers) {
    calls_.Close(segment.fd());
    segment.parts() = Segment::Parts();
  }
  return status;
}

absl::Status SegmentDirectory::OpenLeftovers(
    const SizeClasses& size_classes, bool set_aside,
    std::vector<Segment>* leftovers, std::vector<std::string>* unknown) {
  const int directory_fd = set_aside ? private_directory_fd_ : directory_fd_;
  const std::string prefix =
      set_aside ? absl::StrCat(kPrivateName, "/") : std::string();
  const absl::StatusOr<std::vector<std::string>> names =
      NamesIn(directory_fd, absl::StrCat(path_, "/", prefix));
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (!set_aside && (name == kLockFileName || name == kPrivateName)) continue;
    // Those of the private directory are the daemon's own.
    if (!IsSegmentName(name)) {
      if (!set_aside) unknown->push_back(name);
      continue;
    }
    absl::StatusOr<Segment> found =
        OpenLeftover(size_classes, directory_fd, name);
    if (found.ok()) {
      found->parts().set_aside = set_aside;
      leftovers->push_back(*std::move(found));
    } else if (absl::IsUnavailable(found.status())) {
      unknown->push_back(absl::StrCat(prefix, name));
    } else if (!absl::IsNotFound(found.status())) {
      return found.status();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Segment> SegmentDirectory::OpenLeftover(
    const SizeClasses& size_classes, int directory_fd,
    const std::string& name) {
  // A client may have a lease of the kernel's on it: opening it would wait for
  // him to give it up.
  const int fd = RetryOnInterrupt([&] {
    return calls_.Open(directory_fd, name, O_RDWR | O_NONBLOCK, 0);
  });
  switch (-fd) {
    // No file of ours: a directory, a link, a socket.
    case EISDIR:
    case ELOOP:
    case ENXIO:
    case EACCES:
    case EWOULDBLOCK:
      return absl::UnavailableError(name);
    case ENOENT:
      return absl::NotFoundError(name);
    default:
      break;
  }
  // Taken for absence, a lack of descriptors would end the leases of the living.
  if (fd < 0) {
    return absl::ErrnoToStatus(
        -fd, absl::StrCat("can't open segment ", path_, "/", name));
  }
  FileState state;
  state.owner = geteuid();
  RetryOnInterrupt([&] { return calls_.State(fd, &state); });
  // A file that was never allocated, or was resized by a client, has the class
  // of whatever it takes.
  const uint64_t bytes = state.allocated_bytes;
  const absl::StatusOr<SizeClass> size_class =
      size_classes.For(bytes == 0 ? kPageSize : bytes);
  Segment segment(size_class.value_or(SizeClass()), bytes, state.owner);
  segment.parts().fd = fd;
  segment.parts().file_name = name;
  segment.parts().directory_fd = directory_fd;
  return segment;
}

}  // namespace warmpool
