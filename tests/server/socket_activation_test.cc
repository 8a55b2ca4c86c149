// A daemon that is given its socket by whoever starts it, as systemd does.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/server/service_manager.h"
#include "tests/support/child_process.h"

namespace warmpool::testing {
namespace {

class SocketActivationTest : public ::testing::Test {
 protected:
  SocketActivationTest() {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = UnixAddress(path_);
    EXPECT_EQ(
        bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0);
    EXPECT_EQ(chmod(path_.c_str(), 0640), 0);
    EXPECT_EQ(listen(fd, 16), 0);
    // One that children get, of one digit: a shell has no others.
    socket_ = dup(fd);
    EXPECT_LT(socket_, 10);
    close(fd);
  }
  ~SocketActivationTest() override { close(socket_); }

  void Start(std::vector<std::string> flags = {}) {
    std::vector<std::string> arguments = {
        "/bin/sh",
        "-c",
        absl::StrCat("LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&",
                     socket_),
        "server/warmpoold",
        absl::StrCat("--shm_dir=", manager_.shm_dir()),
        "--log_level=error"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    daemon_.reset();
    daemon_ = std::make_unique<ChildProcess>(arguments);
  }
  int Stop() {
    daemon_->Signal(SIGTERM);
    return daemon_->Wait();
  }
  mode_t FileMode() {
    struct stat file {};
    stat(path_.c_str(), &file);
    return file.st_mode & 0777;
  }
  // Of a client that connects, and waits until it is served.
  std::future<uint64_t> AskInTheBackground() {
    return std::async(std::launch::async, [target = target_] {
      return RawClient(target).Stats().leases().live_leases();
    });
  }

  // Told by nobody else.
  ServiceManager manager_;
  const std::string path_ = manager_.directory() + "/socket";
  const std::string target_ = absl::StrCat("unix:", path_);
  int socket_ = -1;
  std::unique_ptr<ChildProcess> daemon_;
};

TEST_F(SocketActivationTest, WhoComesBetweenTwoDaemonsWaitsForTheNext) {
  std::future<uint64_t> first = AskInTheBackground();
  Start({absl::StrCat("--listen=", target_)});
  EXPECT_EQ(first.get(), 0u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Stop(), 0);
    EXPECT_TRUE(std::filesystem::exists(path_)) << "it is the manager's";
    std::future<uint64_t> waiting = AskInTheBackground();
    Start({absl::StrCat("--listen=", target_)});
    EXPECT_EQ(waiting.get(), 0u);
  }
  EXPECT_EQ(FileMode(), 0640u) << "so is its mode";
}

TEST_F(SocketActivationTest, WithoutListenTheSocketThatIsPassedIsServed) {
  Start();
  EXPECT_EQ(AskInTheBackground().get(), 0u);
  EXPECT_EQ(Stop(), 0);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketActivationTest, AnotherSocketThanThatOfListenIsNotServed) {
  const std::string other = manager_.directory() + "/other";
  Start({absl::StrCat("--listen=unix:", other)});
  EXPECT_EQ(RawClient("unix:" + other).Stats().leases().live_leases(), 0u);
  EXPECT_EQ(Stop(), 0);
  EXPECT_FALSE(std::filesystem::exists(other));
}

TEST_F(SocketActivationTest, ASocketForAnotherProcessIsNotTaken) {
  setenv("LISTEN_PID", "1", 1);
  setenv("LISTEN_FDS", "1", 1);
  const std::string other = manager_.directory() + "/other";
  daemon_ = std::make_unique<ChildProcess>(std::vector<std::string>{
      "server/warmpoold", absl::StrCat("--shm_dir=", manager_.shm_dir()),
      absl::StrCat("--listen=unix:", other), "--log_level=error"});
  unsetenv("LISTEN_PID");
  unsetenv("LISTEN_FDS");
  EXPECT_EQ(RawClient("unix:" + other).Stats().leases().live_leases(), 0u);
  EXPECT_EQ(Stop(), 0);
}

}  // namespace
}  // namespace warmpool::testing
