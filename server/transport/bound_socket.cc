#include "server/transport/bound_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/clients/peer.h"
#include "server/transport/socket_directory.h"

namespace warmpool {
namespace {

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket path ", path, " is too long"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// Who accepts connections at the address: "pid=12 uid=0". nullopt: nobody. It
// does not wait for a process that is stopped.
absl::StatusOr<std::optional<std::string>> WhoServes(
    const std::string& path, const sockaddr_un& address) {
  const UniqueFd probe(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.valid() &&
      connect(probe.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0) {
    return DescribePeer(probe.get());
  }
  if (probe.valid() && errno == EAGAIN) {
    return "it takes no more connections now";
  }
  // Nothing else says that nobody does.
  if (probe.valid() && (errno == ECONNREFUSED || errno == ENOENT)) {
    return std::nullopt;
  }
  return absl::ErrnoToStatus(
      errno, absl::StrCat("can't tell whether somebody listens on ", path));
}

// Removes what a daemon that died left at `path`.
absl::Status RemoveStaleSocket(const std::string& path,
                               const sockaddr_un& address) {
  struct stat file;
  if (lstat(path.c_str(), &file) < 0) return absl::OkStatus();
  if (!S_ISSOCK(file.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat(path,
                     " exists and is no socket: listen elsewhere "
                     "(--listen)"));
  }
  ASSIGN_OR_RETURN(const std::optional<std::string> who,
                   WhoServes(path, address));
  if (who.has_value()) {
    return absl::AlreadyExistsError(absl::StrCat(
        "another process listens on ", path, " (", *who,
        "): stop that daemon first, or listen elsewhere (--listen)"));
  }
  unlink(path.c_str());
  return absl::OkStatus();
}

// Before anybody can connect. Whoever can write to the directory may have put
// something else there meanwhile, such as a symbolic link.
absl::Status SetAccess(const std::string& path, const SocketAccess& access) {
  const UniqueFd file(open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat found;
  if (!file.valid() || fstat(file.get(), &found) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't listen on ", path));
  }
  if (!S_ISSOCK(found.st_mode) || found.st_uid != geteuid()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "can't listen on ", path, ": somebody replaced it at this moment"));
  }
  if (access.group.has_value() &&
      fchownat(file.get(), "", static_cast<uid_t>(-1), *access.group,
               AT_EMPTY_PATH) < 0) {
    return absl::ErrnoToStatus(
        errno, absl::StrCat("can't give ", path, " to the group ",
                            *access.group, " of --allow_gid"));
  }
  if (chmod(absl::StrCat("/proc/self/fd/", file.get()).c_str(), access.mode) <
      0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't chmod ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BoundSocket>> BoundSocket::Bind(
    const std::string& path, const SocketAccess& access) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  RETURN_IF_ERROR(PrepareSocketDirectory(path, access.mode));
  RETURN_IF_ERROR(RemoveStaleSocket(path, address));

  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                          sizeof(address)) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't listen on ", path));
  }
  std::unique_ptr<BoundSocket> bound(
      new BoundSocket(std::move(fd), path, /*adopted=*/false));
  RETURN_IF_ERROR(SetAccess(path, access));
  if (listen(bound->fd(), SOMAXCONN) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't listen on ", path));
  }
  return bound;
}

absl::StatusOr<std::unique_ptr<BoundSocket>> BoundSocket::Adopt(
    UniqueFd fd, const std::string& path) {
  if (fcntl(fd.get(), F_SETFL, O_NONBLOCK) < 0 ||
      listen(fd.get(), SOMAXCONN) < 0) {
    return absl::ErrnoToStatus(
        errno,
        absl::StrCat("can't listen on the socket that was passed for ", path));
  }
  return std::unique_ptr<BoundSocket>(
      new BoundSocket(std::move(fd), path, /*adopted=*/true));
}

BoundSocket::BoundSocket(UniqueFd fd, const std::string& path, bool adopted)
    : fd_(std::move(fd)), path_(path), adopted_(adopted) {
  file_ = FileAt(path_);
}

BoundSocket::~BoundSocket() {
  if (!adopted_ && IsNamed()) unlink(path_.c_str());
}

bool BoundSocket::IsNamed() const {
  return file_.has_value() && FileAt(path_) == file_;
}

std::optional<BoundSocket::File> BoundSocket::FileAt(const std::string& path) {
  struct stat file;
  if (lstat(path.c_str(), &file) < 0) return std::nullopt;
  return File(file.st_dev, file.st_ino);
}

}  // namespace warmpool
