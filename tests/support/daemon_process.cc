#include "tests/support/daemon_process.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace warmpool::testing {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::perror(what.c_str());
  std::abort();
}

// Whether a daemon has recovered what there was, and answers. Connections are
// accepted before that, and wait.
bool Serves(const std::string& socket_path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path.c_str(),
               sizeof(address.sun_path) - 1);
  bool serves = connect(fd, reinterpret_cast<const sockaddr*>(&address),
                        sizeof(address)) == 0;
  if (serves) {
    // HTTP/2's preface and an empty SETTINGS frame; a server sends its own.
    constexpr char kHello[] =
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        "\0\0\0\4\0\0\0\0";
    char answer = 0;
    serves = send(fd, kHello, sizeof(kHello), MSG_NOSIGNAL) ==
                 static_cast<ssize_t>(sizeof(kHello)) &&
             recv(fd, &answer, 1, 0) == 1;
  }
  close(fd);
  return serves;
}

}  // namespace

DaemonProcess::DaemonProcess(const std::vector<std::string>& flags,
                             const std::string& program,
                             std::optional<int> max_descriptors)
    : flags_(flags), program_(program), max_descriptors_(max_descriptors) {
  // Socket paths must be short, so not Bazel's test directory.
  char directory[] = "/tmp/warmpool-test-XXXXXX";
  if (mkdtemp(directory) == nullptr) Die("mkdtemp");
  directory_ = directory;
  shm_dir_ = absl::StrCat(
      "/dev/shm/", std::filesystem::path(directory_).filename().string());
  Start();
}

DaemonProcess::~DaemonProcess() {
  Kill();
  std::filesystem::remove_all(shm_dir_);
  std::filesystem::remove_all(directory_);
}

void DaemonProcess::Start() {
  std::vector<std::string> arguments;
  if (max_descriptors_.has_value()) {
    arguments = {"/bin/sh", "-c",
                 absl::StrCat("ulimit -n ", *max_descriptors_,
                              " && exec \"$0\" \"$@\"")};
  }
  for (const std::string& argument :
       {program_, absl::StrCat("--listen=", target()),
        absl::StrCat("--shm_dir=", shm_dir_),
        std::string("--log_level=warn")}) {
    arguments.push_back(argument);
  }
  arguments.insert(arguments.end(), flags_.begin(), flags_.end());
  process_ = std::make_unique<ChildProcess>(arguments);
  if (!Eventually([this] { return Serves(directory_ + "/socket"); })) {
    Die("the daemon does not answer");
  }
}

void DaemonProcess::Restart() {
  Kill();
  Start();
}

int DaemonProcess::Terminate() {
  process_->Signal(SIGTERM);
  return process_->Wait();
}

void DaemonProcess::Kill() {
  process_->Signal(SIGKILL);
  process_->Wait();
}

size_t DaemonProcess::CountDescriptors() const {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", pid(), "/fd"))) {
    ++count;
  }
  return count;
}

std::vector<std::string> DaemonProcess::SegmentFiles() const {
  std::vector<std::string> files;
  std::error_code gone;
  for (const auto& entry :
       std::filesystem::directory_iterator(shm_dir_, gone)) {
    if (entry.path().extension() == ".seg") files.push_back(entry.path());
  }
  return files;
}

bool Eventually(const std::function<bool()>& condition, absl::Duration within) {
  const absl::Time deadline = absl::Now() + within;
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

}  // namespace warmpool::testing
