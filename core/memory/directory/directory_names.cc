#include "core/memory/directory/directory_names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace warmpool {

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

}  // namespace warmpool
