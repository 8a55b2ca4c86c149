#include "core/base/unix_target.h"

#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace warmpool {

std::string DefaultTarget() {
  if (geteuid() == 0) return "unix:/run/warmpool/warmpool.sock";
  const char* const runtime_directory = std::getenv("XDG_RUNTIME_DIR");
  if (runtime_directory != nullptr && *runtime_directory == '/') {
    return absl::StrCat("unix:", runtime_directory, "/warmpool.sock");
  }
  return absl::StrCat("unix:/tmp/warmpool-", geteuid(), ".sock");
}

std::string DefaultShmDirectory() {
  return absl::StrCat("/dev/shm/warmpool-", geteuid());
}

absl::StatusOr<std::string> SocketPathOf(absl::string_view target) {
  absl::string_view path = target;
  if (!absl::ConsumePrefix(&path, "unix:")) {
    return absl::InvalidArgumentError(
        absl::StrCat("target \"", target, "\": only Unix sockets are served; "
                     "write unix:PATH"));
  }
  if (absl::ConsumePrefix(&path, "//") && !absl::StartsWith(path, "/")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "target \"", target, "\": unix:// is followed by an absolute path"));
  }
  constexpr size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kLongest) {
    return absl::InvalidArgumentError(
        absl::StrCat("target \"", target, "\": its path has ", path.size(),
                     " bytes, 1 to ", kLongest, " are possible"));
  }
  return std::string(path);
}

}  // namespace warmpool
