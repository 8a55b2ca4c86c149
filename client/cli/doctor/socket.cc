#include "client/cli/doctor/socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/unix_target.h"

namespace warmpool::doctor {
namespace {

constexpr char kName[] = "socket";

void Connect(SocketReadings* readings) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  readings->path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  readings->error = connect(fd, reinterpret_cast<const sockaddr*>(&address),
                            sizeof(address)) == 0
                        ? 0
                        : errno;
  // A full backlog is of somebody who listens.
  if (readings->error == EAGAIN) readings->error = 0;
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (readings->served() &&
      getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    readings->pid = credentials.pid;
    readings->uid = credentials.uid;
  }
  close(fd);
}

Check CheckMissing(const SocketReadings& readings) {
  const std::filesystem::path directory =
      std::filesystem::path(readings.path).parent_path();
  const bool is_there = readings.nearest == directory.string();
  // As the daemon does: one directory, and only where sockets are kept.
  if (!is_there && (readings.nearest != directory.parent_path().string() ||
                    !IsForSockets(directory.string()))) {
    return Fail(kName, absl::StrCat(directory.string(), " is missing"),
                absl::StrCat("mkdir -p ", directory.string(),
                             ", or --listen= and --target= elsewhere"));
  }
  if (readings.nearest_writable) {
    return Ok(kName, absl::StrCat(readings.path, ", will be made"));
  }
  return Fail(
      kName,
      absl::StrCat(readings.path, " is missing, and uid ", geteuid(),
                   " may not make it in ", readings.nearest),
      absl::StrCat("RuntimeDirectory=warmpool in the unit, or --listen= "
                   "elsewhere, or install -d -o ",
                   geteuid(), " ", directory.string()));
}

Check CheckRefused(const SocketReadings& readings) {
  if (!readings.impassable.empty()) {
    return Fail(kName,
                absl::StrCat(readings.path, ": uid ", geteuid(),
                             " may not pass ", readings.impassable),
                absl::StrCat("a root daemon with --allow_uid=", geteuid(),
                             " and --listen= in a directory that this user may "
                             "pass, or a daemon of this user's own"));
  }
  return Fail(
      kName,
      absl::StrFormat("%s: mode %04o of uid %d keeps uid %d out", readings.path,
                      readings.mode, readings.owner, geteuid()),
      absl::StrCat("a root daemon with --allow_uid=", geteuid(),
                   ", or one of this user's own"));
}

Check CheckUnreachable(const SocketReadings& readings,
                       const std::string& tenant) {
  return Fail(kName,
              absl::StrCat("nobody listens on ", readings.path,
                           ", but a daemon runs (", tenant, ")"),
              "--target= as the daemon has it; if that is the same, somebody "
              "removed its socket's file: it makes it again within seconds, or "
              "its log tells what hinders it");
}

}  // namespace

SocketReadings ReadSocket(const std::string& path) {
  namespace fs = std::filesystem;
  SocketReadings readings;
  readings.path = fs::absolute(path).string();
  struct stat file;
  if (stat(readings.path.c_str(), &file) == 0) {
    readings.is_socket = S_ISSOCK(file.st_mode);
    readings.owner = file.st_uid;
    readings.mode = file.st_mode & 07777;
  }
  fs::path so_far;
  for (const fs::path& part : fs::path(readings.path).parent_path()) {
    so_far /= part;
    if (stat(so_far.c_str(), &file) < 0) break;
    readings.nearest = so_far.string();
    readings.nearest_writable = access(so_far.c_str(), W_OK | X_OK) == 0;
    if (readings.impassable.empty() && access(so_far.c_str(), X_OK) < 0) {
      readings.impassable = so_far.string();
    }
  }
  Connect(&readings);
  return readings;
}

Check CheckSocket(const SocketReadings& readings,
                  const std::optional<std::string>& tenant) {
  const bool unserved =
      readings.error == ENOENT || readings.error == ECONNREFUSED;
  if (unserved && tenant.has_value()) {
    return CheckUnreachable(readings, *tenant);
  }
  switch (readings.error) {
    case 0:
      return Ok(kName,
                absl::StrFormat("%s, mode %04o, uid %d listens", readings.path,
                                readings.mode, readings.uid));
    case ENOENT: return CheckMissing(readings);
    case EACCES: return CheckRefused(readings);
    case ECONNREFUSED:
      if (!readings.is_socket) {
        return Fail(kName, absl::StrCat(readings.path, " is no socket"),
                    "name another with --listen= and --target=");
      }
      return Warn(kName,
                  absl::StrCat(readings.path,
                               " is there, but nobody listens: its daemon has "
                               "ended"),
                  "start the daemon, which takes its place");
    default:
      return Fail(
          kName,
          absl::StrCat(readings.path, ": ", std::strerror(readings.error)),
          "name another with --listen= and --target=");
  }
}

}  // namespace warmpool::doctor
