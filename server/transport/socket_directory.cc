#include "server/transport/socket_directory.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/base/unix_target.h"
#include "server/log/log_value.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

namespace fs = std::filesystem;

absl::Status CannotMake(const std::string& directory, int error) {
  return absl::ErrnoToStatus(
      error, absl::StrCat("can't make the socket's directory ", directory,
                          " as uid ", geteuid(),
                          ": make it for that uid, or listen elsewhere "
                          "(--listen)"));
}

// Names the first directory on the way that is missing: a misspelt path shows.
absl::Status Missing(const fs::path& directory, bool for_all) {
  fs::path first = directory;
  std::error_code error;
  while (first.has_parent_path() && first != first.parent_path() &&
         !fs::exists(first.parent_path(), error)) {
    first = first.parent_path();
  }
  return absl::NotFoundError(
      absl::StrCat(first.string(),
                   " does not exist: make the socket's directory (mkdir -p -m ",
                   for_all ? "0755 " : "0700 ", directory.string(),
                   "), or listen elsewhere (--listen)"));
}

absl::Status MakeIfMissing(const fs::path& directory, bool for_all) {
  struct stat found;
  if (stat(directory.c_str(), &found) == 0) return absl::OkStatus();
  if (errno != ENOENT) return CannotMake(directory, errno);
  if (!IsForSockets(directory.lexically_normal().string()) ||
      stat(directory.parent_path().c_str(), &found) < 0) {
    return Missing(directory, for_all);
  }
  // Another daemon may have made it just now.
  if (mkdir(directory.c_str(), 0700) < 0) {
    return errno == EEXIST ? absl::OkStatus() : CannotMake(directory, errno);
  }
  // Whatever the umask.
  if (for_all && chmod(directory.c_str(), 0755) < 0) {
    return CannotMake(directory, errno);
  }
  return absl::OkStatus();
}

void WarnOfImpassable(const std::string& socket_path,
                      const fs::path& directory) {
  fs::path so_far;
  for (const fs::path& part : directory) {
    so_far /= part;
    std::error_code error;
    const fs::file_status status = fs::status(so_far, error);
    if (error ||
        (status.permissions() & fs::perms::others_exec) != fs::perms::none) {
      continue;
    }
    spdlog::warn(
        "other uids can't reach the socket: its directory keeps them "
        "out directory={} socket={} remedy=\"listen in a directory that "
        "they can pass\"",
        LogValue(so_far.string()), LogValue(socket_path));
  }
}

}  // namespace

absl::Status PrepareSocketDirectory(const std::string& socket_path,
                                    mode_t mode) {
  const fs::path directory = fs::absolute(socket_path).parent_path();
  const bool for_all = (mode & (S_IWGRP | S_IWOTH)) != 0;
  RETURN_IF_ERROR(MakeIfMissing(directory, for_all));
  if (for_all) WarnOfImpassable(socket_path, directory);
  return CheckSocketDirectory(socket_path);
}

}  // namespace warmpool
