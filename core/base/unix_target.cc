#include "core/base/unix_target.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace warmpool {
namespace {

// For a user without a runtime directory.
std::string SocketDirectoryInTmp() {
  return absl::StrCat("/tmp/warmpool-", geteuid());
}

// Empty: the user has none.
std::string UsersRuntimeDirectory() {
  const char* const directory = std::getenv("XDG_RUNTIME_DIR");
  return directory != nullptr && *directory == '/' ? directory : "";
}

}  // namespace

std::string DefaultTarget() {
  if (geteuid() == 0) return "unix:/run/warmpool/warmpool.sock";
  const std::string runtime_directory = UsersRuntimeDirectory();
  if (!runtime_directory.empty()) {
    return absl::StrCat("unix:", runtime_directory, "/warmpool.sock");
  }
  return absl::StrCat("unix:", SocketDirectoryInTmp(), "/warmpool.sock");
}

absl::Status CheckSocketDirectory(const std::string& socket_path) {
  const std::string directory = SocketDirectoryInTmp();
  if (socket_path.substr(0, socket_path.rfind('/')) != directory) {
    return absl::OkStatus();
  }
  struct stat found;
  if (lstat(directory.c_str(), &found) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't stat ", directory));
  }
  if (S_ISDIR(found.st_mode) && found.st_uid == geteuid() &&
      (found.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
    return absl::OkStatus();
  }
  return absl::PermissionDeniedError(absl::StrFormat(
      "%s must be a directory of uid %d that nobody else can write to, and is "
      "not (uid %d, mode %04o): set XDG_RUNTIME_DIR, or name another socket",
      directory, geteuid(), found.st_uid, found.st_mode & 07777));
}

bool IsForSockets(absl::string_view directory) {
  for (const std::string& root :
       {std::string("/run"), std::string("/var/run"), std::string("/tmp"),
        UsersRuntimeDirectory()}) {
    if (!root.empty() && absl::StartsWith(directory, absl::StrCat(root, "/"))) {
      return true;
    }
  }
  return false;
}

std::string DefaultShmDirectory() {
  return absl::StrCat("/dev/shm/warmpool-", geteuid());
}

absl::StatusOr<std::string> SocketPathOf(absl::string_view target) {
  absl::string_view path = target;
  if (!absl::ConsumePrefix(&path, "unix:")) {
    return absl::InvalidArgumentError(
        absl::StrCat("target \"", target,
                     "\": only Unix sockets are served; "
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
