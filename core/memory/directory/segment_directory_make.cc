// How segments are made.
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/directory/segment_name.h"
#include "core/memory/kernel/descriptor_limit.h"
#include "core/memory/kernel/file_size_limit.h"
#include "core/memory/kernel/filesystem_room.h"
#include "core/memory/kernel/retry.h"

namespace warmpool {

absl::Status SegmentDirectory::Make(SizeClass size_class, size_t bytes,
                                    uid_t owner, Purpose purpose,
                                    Segment* segment) {
  *segment = Segment(size_class, bytes, owner);
  std::optional<MemoryRoom::Claim> claim;
  if (memory_room_ != nullptr) {
    ASSIGN_OR_RETURN(MemoryRoom::Claim taken, memory_room_->Take(bytes));
    claim.emplace(std::move(taken));
  }
  const std::string name = SegmentName(random_.Next());
  const int fd = OpenWithRoom([&] {
    return calls_.Open(directory_fd_, name, O_RDWR | O_CREAT | O_EXCL,
                       kSegmentMode);
  });
  if (fd < 0) {
    const std::string what =
        absl::StrCat("can't create a segment of ", bytes, " bytes in ", path_);
    if (fd == -ENOENT) {
      return absl::FailedPreconditionError(absl::StrCat(
          what, ": somebody removed the directory: restart the daemon"));
    }
    return LacksDescriptors(-fd) ? DescriptorsExhausted(-fd, what)
                                 : FileError(calls_, directory_fd_, -fd, what);
  }
  segment->parts().fd = fd;
  segment->parts().file_name = name;
  segment->parts().directory_fd = directory_fd_;
  RETURN_IF_ERROR(GiveAway(*segment));
  RETURN_IF_ERROR(AllocateAll(purpose, segment));
  return KeepDescriptor(segment);
}

absl::Status SegmentDirectory::KeepDescriptor(Segment* segment) {
  Segment::Parts& parts = segment->parts();
  FileState state;
  const int known =
      RetryOnInterrupt([&] { return calls_.State(parts.fd, &state); });
  if (known < 0) {
    return absl::ErrnoToStatus(-known, absl::StrCat("can't tell which file ",
                                                    PathOf(*segment), " is"));
  }
  parts.device = state.device;
  parts.inode = state.inode;
  // A tmpfs that is mounted huge=always gives a file's end a huge page too.
  const size_t bytes = segment->bytes();
  if (state.allocated_bytes > bytes) {
    RetryOnInterrupt([&] { return calls_.Resize(parts.fd, bytes); });
  }
  parts.descriptors = &descriptors_;
  parts.descriptor_key = descriptors_.Add(std::exchange(parts.fd, -1));
  return absl::OkStatus();
}

absl::Status SegmentDirectory::GiveAway(const Segment& segment) {
  const uid_t owner = ProverOf(segment);
  if (owner == geteuid()) return absl::OkStatus();
  const int given =
      RetryOnInterrupt([&] { return calls_.ChangeOwner(segment.fd(), owner); });
  if (given >= 0) return absl::OkStatus();
  return absl::ErrnoToStatus(
      -given, absl::StrCat("can't give a segment to uid ", owner));
}

absl::Status SegmentDirectory::AllocateAll(Purpose purpose, Segment* segment) {
  const size_t bytes = segment->bytes();
  const bool huge =
      use_huge_pages_ != HugePages::Use::kNever && bytes >= kHugePageSize;
  absl::Status filled = huge_page_support_;
  if (huge && filled.ok()) {
    const size_t threads =
        purpose == Purpose::kLease ? HugePages::kMaxThreads : 1;
    filled = huge_pages_.Fill(segment->fd(), bytes, threads);
  }
  // All the pages that it still lacks.
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
    const std::string what =
        absl::StrCat("can't allocate a segment of ", bytes, " bytes");
    return allocated == -EFBIG ? FileTooLarge(what)
                               : absl::ErrnoToStatus(-allocated, what);
  }
  segment->set_zeroed(true);
  return huge ? RecordHugePages(filled, segment) : absl::OkStatus();
}

absl::Status SegmentDirectory::RecordHugePages(const absl::Status& filled,
                                               Segment* segment) {
  if (filled.ok()) {
    segment->set_page_bytes(kHugePageSize);
    huge_segments_.fetch_add(1, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  if (use_huge_pages_ == HugePages::Use::kRequire) return filled;
  small_segments_.fetch_add(1, std::memory_order_relaxed);
  if (huge_page_support_.ok() && on_small_pages_) {
    on_small_pages_(segment->bytes(), filled);
  }
  return absl::OkStatus();
}

SegmentDirectory::HugePageCounts SegmentDirectory::huge_page_counts() const {
  return {.huge_segments = huge_segments_.load(std::memory_order_relaxed),
          .small_segments = small_segments_.load(std::memory_order_relaxed)};
}

}  // namespace warmpool
