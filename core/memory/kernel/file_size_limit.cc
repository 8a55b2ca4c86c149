#include "core/memory/kernel/file_size_limit.h"

#include <sys/resource.h>

#include "absl/strings/str_cat.h"

namespace warmpool {

std::optional<uint64_t> FileSizeLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY) {
    return std::nullopt;
  }
  return limit.rlim_cur;
}

absl::Status FileTooLarge(const std::string& what) {
  const std::optional<uint64_t> limit = FileSizeLimit();
  if (!limit.has_value()) {
    return absl::ResourceExhaustedError(
        absl::StrCat(what, ": the filesystem has no files of that size"));
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      what, ": this process may write files of at most ", *limit,
      " bytes (RLIMIT_FSIZE): raise the limit with `ulimit -f`, or with "
      "LimitFSIZE= in its systemd unit"));
}

}  // namespace warmpool
