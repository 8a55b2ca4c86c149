#include "server/transport/passed_sockets.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <utility>

#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// Empty: it has no name in the filesystem.
std::string PathOf(int fd) {
  sockaddr_un address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0 ||
      size <= offsetof(sockaddr_un, sun_path)) {
    return "";
  }
  // The kernel ends it with a zero, where there is room for one.
  const std::string path(address.sun_path,
                         size - offsetof(sockaddr_un, sun_path));
  return path.substr(0, path.find('\0'));
}

}  // namespace

std::vector<PassedSocket> TakePassedSockets() {
  std::vector<PassedSocket> sockets;
  const int count = sd_listen_fds(/*unset_environment=*/0);
  for (int i = 0; i < count; ++i) {
    PassedSocket passed{.fd = UniqueFd(SD_LISTEN_FDS_START + i), .path = ""};
    const int fd = passed.fd.get();
    if (sd_is_socket_unix(fd, SOCK_STREAM, /*listening=*/1, nullptr, 0) > 0) {
      passed.path = PathOf(fd);
    }
    if (passed.path.empty()) {
      spdlog::warn(
          "what the service manager passed is no listening Unix socket, "
          "not used descriptor={}",
          fd);
      continue;
    }
    sockets.push_back(std::move(passed));
  }
  return sockets;
}

}  // namespace warmpool
