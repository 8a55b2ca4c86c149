// What an earlier daemon left in the directory, and what strayed into it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/memory/directory/directory_claim.h"
#include "core/memory/directory/directory_lock.h"
#include "core/memory/directory/directory_names.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/directory/segment_name.h"
#include "core/memory/kernel/descriptor_limit.h"
#include "core/memory/kernel/retry.h"

namespace warmpool {
namespace {

// The regular file of that name. NOT_FOUND: it is gone. UNAVAILABLE: it is
// anything else.
absl::StatusOr<FileState> LookAt(int directory_fd, const std::string& name) {
  struct stat file;
  if (fstatat(directory_fd, name.c_str(), &file, AT_SYMLINK_NOFOLLOW) < 0) {
    return absl::ErrnoToStatus(errno, name);
  }
  if (!S_ISREG(file.st_mode)) return absl::UnavailableError(name);
  FileState state;
  state.size_bytes = static_cast<uint64_t>(file.st_size);
  // As in LinuxSystemCalls::State.
  state.allocated_bytes = static_cast<uint64_t>(file.st_blocks) * 512;
  state.links = file.st_nlink;
  state.owner = file.st_uid;
  state.mode = file.st_mode & 07777;
  return state;
}

// A file that was never allocated, or was resized by a client, has the class of
// whatever it takes.
Segment SegmentOf(const FileState& state, const SizeClasses& size_classes,
                  int directory_fd, const std::string& name) {
  const uint64_t bytes = state.allocated_bytes;
  const absl::StatusOr<SizeClass> size_class =
      size_classes.For(bytes == 0 ? kPageSize : bytes);
  Segment segment(size_class.value_or(SizeClass()), bytes, state.owner);
  segment.parts().file_name = name;
  segment.parts().directory_fd = directory_fd;
  return segment;
}

}  // namespace

absl::StatusOr<std::vector<Segment>> SegmentDirectory::FindLeftovers(
    const SizeClasses& size_classes, std::vector<std::string>* unknown) {
  std::vector<Segment> leftovers;
  absl::Status status =
      OpenLeftovers(size_classes, /*set_aside=*/true, &leftovers, unknown);
  if (status.ok()) {
    status =
        OpenLeftovers(size_classes, /*set_aside=*/false, &leftovers, unknown);
  }
  if (status.ok()) return leftovers;
  for (Segment& segment : leftovers) {
    const int fd = descriptors_.Take(segment.parts().descriptor_key);
    if (fd >= 0) calls_.Close(fd);
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
  ASSIGN_OR_RETURN(const std::vector<std::string> names,
                   NamesIn(directory_fd, absl::StrCat(path_, "/", prefix)));
  for (const std::string& name : names) {
    if (!set_aside && (name == kLockFileName || name == kPrivateName)) continue;
    // The others of the private directory are the daemon's own.
    if (set_aside && !IsSegmentName(name) && !IsStrayName(name)) continue;
    absl::StatusOr<Segment> found =
        IsSegmentName(name) ? OpenLeftover(size_classes, directory_fd, name)
                            : FindStray(size_classes, directory_fd, name);
    if (found.ok()) {
      if (set_aside) found->parts().set_aside = true;
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
  ASSIGN_OR_RETURN(FileState state, LookAt(directory_fd, name));
  // A client may have a lease of the kernel's on it: opening it would wait for
  // him to give it up.
  const bool sealed = state.mode == kSealedMode || state.mode == kSharedMode;
  const int fd = RetryOnInterrupt([&] {
    return calls_.Open(directory_fd, name,
                       (sealed ? O_RDONLY : O_RDWR) | O_NONBLOCK, 0);
  });
  if (fd == -ENOENT) return absl::NotFoundError(name);
  // For as long as its client has it so, it can't be opened; it is his lease's
  // segment nevertheless.
  const bool kept_shut = fd == -EWOULDBLOCK || fd == -EACCES || fd == -ETXTBSY;
  // Taken for absence, a lack of descriptors would end the leases of the
  // living.
  if (fd < 0 && !kept_shut) {
    const std::string what =
        absl::StrCat("can't open segment ", path_, "/", name);
    return LacksDescriptors(-fd) ? DescriptorsExhausted(-fd, what)
                                 : absl::ErrnoToStatus(-fd, what);
  }
  if (fd >= 0) RetryOnInterrupt([&] { return calls_.State(fd, &state); });
  Segment segment = SegmentOf(state, size_classes, directory_fd, name);
  segment.set_sealed(sealed);
  if (fd < 0) return segment;
  segment.parts().fd = fd;
  const absl::Status kept = KeepDescriptor(&segment);
  if (kept.ok()) return segment;
  calls_.Close(fd);
  segment.parts() = Segment::Parts();
  return kept;
}

absl::StatusOr<Segment> SegmentDirectory::FindStray(
    const SizeClasses& size_classes, int directory_fd,
    const std::string& name) {
  ASSIGN_OR_RETURN(const FileState state, LookAt(directory_fd, name));
  if (directory_fd != private_directory_fd_ && !IsServed(state.owner)) {
    return absl::UnavailableError(name);
  }
  // It is opened for its proof only. Whoever has another name for it keeps
  // what is in it: without a descriptor, its end takes no pages away.
  return SegmentOf(state, size_classes, directory_fd, name);
}

bool SegmentDirectory::IsStray(const Segment& found) {
  return !IsSegmentName(found.file_name());
}

void SegmentDirectory::SetAsideStrays(std::vector<Segment>* leftovers,
                                      std::vector<std::string>* unknown) {
  std::vector<Segment> kept;
  kept.reserve(leftovers->size());
  for (Segment& segment : *leftovers) {
    if (IsStray(segment) && !segment.set_aside()) {
      const absl::Status moved = SetAside(&segment);
      if (!moved.ok()) {
        if (!absl::IsNotFound(moved)) unknown->push_back(segment.file_name());
        segment.parts() = Segment::Parts();
        continue;
      }
    }
    kept.push_back(std::move(segment));
  }
  *leftovers = std::move(kept);
}

bool SegmentDirectory::IsServed(uid_t uid) const {
  return uid == geteuid() || (serves_other_uids_ && served_uids_.contains(uid));
}

}  // namespace warmpool
