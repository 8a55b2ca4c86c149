// ServiceManager: the end of a service manager that is told of daemons (what
// NOTIFY_SOCKET names), for a test and the processes that it starts.
#ifndef WARMPOOL_TESTS_SERVER_SERVICE_MANAGER_H_
#define WARMPOOL_TESTS_SERVER_SERVICE_MANAGER_H_

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gtest/gtest.h"

namespace warmpool::testing {

inline sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

class ServiceManager {
 public:
  ServiceManager() {
    char directory[] = "/tmp/warmpool-notice-XXXXXX";
    directory_ = mkdtemp(directory);
    const std::string path = directory_ + "/notify";
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = UnixAddress(path);
    EXPECT_EQ(
        bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~ServiceManager() {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
    std::filesystem::remove_all(directory_);
    std::filesystem::remove_all(shm_dir());
  }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // What it is told next; empty if that is nothing for so long.
  std::string Receive(int milliseconds = 10000) {
    pollfd polled = {.fd = fd_, .events = POLLIN, .revents = 0};
    char text[1024];
    if (poll(&polled, 1, milliseconds) != 1) return "";
    const ssize_t got = recv(fd_, text, sizeof(text), 0);
    return std::string(text, static_cast<size_t>(got));
  }

  // A directory for sockets, and where a daemon may have its segments; both are
  // removed at the end.
  const std::string& directory() const { return directory_; }
  std::string shm_dir() const {
    return "/dev/shm/" + std::filesystem::path(directory_).filename().string();
  }

 private:
  std::string directory_;
  int fd_ = -1;
};

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_SERVER_SERVICE_MANAGER_H_
