#include "client/cli/gc/left_files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/memory/directory/directory_claim.h"
#include "core/memory/directory/directory_lock.h"
#include "core/memory/directory/directory_names.h"
#include "core/memory/directory/segment_name.h"

namespace warmpool::gc {
namespace {

LeftFile::Kind KindOf(const std::string& name, bool is_private) {
  if (is_private) {
    return IsSegmentName(name) || IsStrayName(name)
               ? LeftFile::Kind::kQuarantined
               : LeftFile::Kind::kOwn;
  }
  if (IsSegmentName(name)) return LeftFile::Kind::kSegment;
  return name == kLockFileName ? LeftFile::Kind::kOwn
                               : LeftFile::Kind::kUnknown;
}

absl::Status AddFiles(int fd, const std::string& path, bool is_private,
                      std::vector<LeftFile>* files) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(fd, path));
  for (const std::string& name : names) {
    if (!is_private && name == kPrivateName) continue;
    struct stat file;
    // Gone since.
    if (fstatat(fd, name.c_str(), &file, AT_SYMLINK_NOFOLLOW) < 0) continue;
    files->push_back(
        {.name = is_private ? absl::StrCat(kPrivateName, "/", name) : name,
         .kind = KindOf(name, is_private),
         .uid = file.st_uid,
         // st_blocks counts 512 bytes each (inode(7)).
         .bytes = static_cast<uint64_t>(file.st_blocks) * 512,
         .id = {file.st_dev, file.st_ino}});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LeftDirectory> ReadLeftDirectory(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW;
  const int fd = open(path.c_str(), kFlags);
  if (fd < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't open ", path));
  }
  const absl::Cleanup close_fd = [fd] { close(fd); };
  LeftDirectory directory;
  ASSIGN_OR_RETURN(std::optional<std::string> tenant, LockTenant(fd, path));
  directory.tenant = std::move(tenant);
  directory.is_marked = IsClaimed(fd);
  absl::Status status =
      AddFiles(fd, path, /*is_private=*/false, &directory.files);
  if (!status.ok()) return status;
  const int private_fd = openat(fd, kPrivateName, kFlags);
  if (private_fd >= 0) {
    status = AddFiles(private_fd, absl::StrCat(path, "/", kPrivateName),
                      /*is_private=*/true, &directory.files);
    close(private_fd);
  } else if (errno != ENOENT) {
    status = absl::ErrnoToStatus(
        errno, absl::StrCat("can't open ", path, "/", kPrivateName));
  }
  if (!status.ok()) return status;
  std::sort(
      directory.files.begin(), directory.files.end(),
      [](const LeftFile& a, const LeftFile& b) { return a.name < b.name; });
  return directory;
}

}  // namespace warmpool::gc
