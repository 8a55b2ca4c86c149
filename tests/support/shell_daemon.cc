#include "tests/support/shell_daemon.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

bool Connects(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  const bool connected =
      connect(fd, reinterpret_cast<const sockaddr*>(&address),
              sizeof(address)) == 0;
  close(fd);
  return connected;
}

}  // namespace

ShellDaemon::ShellDaemon(const std::string& script,
                         const std::vector<std::string>& flags) {
  char directory[] = "/tmp/warmpool-test-XXXXXX";
  if (mkdtemp(directory) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
  directory_ = directory;
  shm_dir_ = absl::StrCat(
      "/dev/shm/", std::filesystem::path(directory_).filename().string());
  std::vector<std::string> arguments = {
      "/bin/sh",
      "-c",
      script,
      "sh",
      std::filesystem::absolute("server/warmpoold").string(),
      absl::StrCat("--listen=", target()),
      absl::StrCat("--shm_dir=", shm_dir_),
      "--capacity_bytes=64MiB",
      "--stock_bytes=0"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  process_ = std::make_unique<ChildProcess>(arguments);
}

ShellDaemon::~ShellDaemon() {
  process_.reset();
  std::filesystem::remove_all(shm_dir_);
  std::filesystem::remove_all(directory_);
}

bool ShellDaemon::Listens() {
  return Eventually([this] { return Connects(socket()); });
}

std::string ShellDaemon::LineWith(const std::string& text) {
  std::string line;
  do {
    line = process_->ReadLine();
  } while (!line.empty() && !absl::StrContains(line, text));
  return line;
}

bool ShellDaemon::Ends() {
  return Eventually([this] {
    siginfo_t state{};
    return waitid(P_PID, static_cast<id_t>(pid()), &state,
                  WEXITED | WNOHANG | WNOWAIT) == 0 &&
           state.si_pid == pid();
  });
}

}  // namespace warmpool::testing
