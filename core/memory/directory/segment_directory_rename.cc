// How segments' files get other names: before they are another holder's, and
// where they are set aside.
#include <errno.h>
#include <stdio.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/directory/segment_name.h"
#include "core/memory/kernel/retry.h"

namespace warmpool {
namespace {

absl::Status MoveError(int error, absl::string_view deed,
                       const std::string& path) {
  return absl::ErrnoToStatus(
      error, absl::StrCat(
                 "can't ", deed, " segment ", path,
                 error == ENOENT ? ": its client renamed or removed it" : ""));
}

}  // namespace

int SegmentDirectory::Move(const Segment& segment, int directory_fd,
                           const std::string& name) {
  const Segment::Parts& parts = segment.parts();
  return RetryOnInterrupt([&] {
    return calls_.Rename(parts.directory_fd, parts.file_name, directory_fd,
                         name, RENAME_NOREPLACE);
  });
}

absl::Status SegmentDirectory::Rename(Segment* segment) {
  if (!segment->name_is_stale()) return absl::OkStatus();
  std::string name = SegmentName(random_.Next());
  const absl::Status renamed = RenameFile(*segment, name);
  if (renamed.ok()) segment->set_file_name(std::move(name));
  return renamed;
}

absl::Status SegmentDirectory::RenameFile(const Segment& segment,
                                          const std::string& name) {
  const int moved = Move(segment, segment.parts().directory_fd, name);
  return moved < 0 ? MoveError(-moved, "rename", PathOf(segment))
                   : absl::OkStatus();
}

absl::Status SegmentDirectory::SetAside(Segment* segment) {
  if (segment->set_aside()) return absl::OkStatus();
  const std::string& name = segment->file_name();
  std::string aside =
      IsStray(*segment) ? StrayName(name, random_.Next()) : name;
  const int moved = Move(*segment, private_directory_fd_, aside);
  if (moved < 0) return MoveError(-moved, "set aside", PathOf(*segment));
  segment->parts().file_name = std::move(aside);
  segment->parts().directory_fd = private_directory_fd_;
  segment->parts().set_aside = true;
  return absl::OkStatus();
}

}  // namespace warmpool
