#include "server/bound_socket.h"

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
#include "server/peer.h"
#include "server/socket_directory.h"

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

// Who accepts connections at the address: "pid=12 uid=0". nullopt: nobody.
std::optional<std::string> WhoServes(const sockaddr_un& address) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0) {
    return DescribePeer(probe.get());
  }
  if (errno == EAGAIN) return "it takes no more connections now";
  return std::nullopt;
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
  if (const std::optional<std::string> who = WhoServes(address)) {
    return absl::AlreadyExistsError(absl::StrCat(
        "another process listens on ", path, " (", *who,
        "): stop that daemon first, or listen elsewhere (--listen)"));
  }
  unlink(path.c_str());
  return absl::OkStatus();
}

// Before anybody can connect.
bool SetAccess(const std::string& path, const SocketAccess& access) {
  if (access.group.has_value() &&
      chown(path.c_str(), static_cast<uid_t>(-1), *access.group) < 0) {
    return false;
  }
  return chmod(path.c_str(), access.mode) == 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<BoundSocket>> BoundSocket::Bind(
    const std::string& path, const SocketAccess& access) {
  const absl::StatusOr<sockaddr_un> address = AddressOf(path);
  if (!address.ok()) return address.status();
  const absl::Status directory = PrepareSocketDirectory(path, access.mode);
  if (!directory.ok()) return directory;
  const absl::Status free = RemoveStaleSocket(path, *address);
  if (!free.ok()) return free;

  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid() ||
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address),
           sizeof(*address)) < 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't listen on ", path));
  }
  std::unique_ptr<BoundSocket> bound(
      new BoundSocket(std::move(fd), path, /*adopted=*/false));
  if (!SetAccess(path, access) || listen(bound->fd(), SOMAXCONN) < 0) {
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
  struct stat file;
  if (lstat(path_.c_str(), &file) < 0) return;
  device_ = file.st_dev;
  inode_ = file.st_ino;
}

BoundSocket::~BoundSocket() {
  if (!adopted_ && IsNamed()) unlink(path_.c_str());
}

bool BoundSocket::IsNamed() const {
  struct stat file;
  return lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
         file.st_ino == inode_;
}

}  // namespace warmpool
