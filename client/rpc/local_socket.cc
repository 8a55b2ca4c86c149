#include "client/rpc/local_socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/user_namespace.h"

namespace warmpool {
namespace {

std::string Describe(const std::string& socket_path, int error) {
  switch (error) {
    case ENOENT: return absl::StrCat(socket_path, " does not exist");
    case ECONNREFUSED: return absl::StrCat("nobody listens on ", socket_path);
    case EAGAIN:
      return absl::StrCat(socket_path,
                          " has more connections waiting than it "
                          "accepts");
    default: return absl::StrCat(socket_path, ": ", std::strerror(error));
  }
}

// The socket's mode, or a directory on the way to it, keeps this process out.
absl::Status NotAllowed(const std::string& socket_path) {
  struct stat file;
  const bool seen = stat(socket_path.c_str(), &file) == 0;
  return absl::PermissionDeniedError(absl::StrCat(
      "uid ", geteuid(),
      seen ? " may not connect to " : " may not pass the directory of ",
      socket_path,
      ": a daemon there does not serve it. Its administrator must start it "
      "with "
      "--allow_uid=",
      geteuid(), " or --allow_gid",
      seen ? "" : ", and listen where that user may pass",
      "; or run a daemon of this user's own, and name its socket"));
}

absl::Status NotTrusted(const std::string& socket_path, uid_t peer) {
  if (MayBeAnyUser(peer)) {
    return absl::PermissionDeniedError(absl::StrCat(
        "the user that listens on ", socket_path,
        " has no uid in this process's user namespace (the kernel shows ", peer,
        "), so it can't be told who it is: map the daemon's uid into the "
        "namespace, or run a daemon within it"));
  }
  return absl::PermissionDeniedError(absl::StrCat(
      "uid ", peer, " listens on ", socket_path, ", and this process (uid ",
      geteuid(),
      ") trusts root and its own uid only: if that is the daemon's "
      "uid, name it (ClientOptions::daemon_uid, --daemon_uid)"));
}

}  // namespace

bool TrustedPeers::Trusts(uid_t uid) const {
  return (uid == 0 || uid == geteuid() || uid == named) && !MayBeAnyUser(uid);
}

absl::StatusOr<LocalSocket> ConnectTo(const std::string& socket_path,
                                      const TrustedPeers& trusted) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  LocalSocket made;
  // Not blocking: the daemon's queue of connections may be full.
  made.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made.fd < 0) {
    return absl::ErrnoToStatus(
        errno,
        "this process has no descriptor left for a connection, raise "
        "`ulimit -n`");
  }
  ucred peer{};
  socklen_t size = sizeof(peer);
  absl::Status status;
  if (connect(made.fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) < 0 ||
      getsockopt(made.fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
    status = errno == EACCES
                 ? NotAllowed(socket_path)
                 : absl::UnavailableError(Describe(socket_path, errno));
  } else if (!trusted.Trusts(peer.uid)) {
    status = NotTrusted(socket_path, peer.uid);
  }
  if (!status.ok()) {
    close(made.fd);
    return status;
  }
  made.peer = peer.uid;
  return made;
}

absl::StatusOr<std::string> AbsoluteSocketPath(const std::string& socket_path) {
  if (absl::StartsWith(socket_path, "/")) return socket_path;
  std::error_code error;
  const std::filesystem::path absolute =
      std::filesystem::absolute(socket_path, error);
  if (error == std::errc::no_such_file_or_directory) {
    return absl::FailedPreconditionError(absl::StrCat(
        "socket path ", socket_path,
        " is relative, and the working directory of this process was removed: "
        "name the socket by an absolute path"));
  }
  const std::string& path = absolute.native();
  if (error || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return socket_path;
  }
  return path;
}

SocketIdentity IdentityOfSocket(const std::string& socket_path) {
  struct stat found;
  if (stat(socket_path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino,
          absl::ToUnixNanos(absl::TimeFromTimespec(found.st_ctim))};
}

}  // namespace warmpool
