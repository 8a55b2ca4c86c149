#include "server/service_notice.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/daemon_process.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

// The service manager's end, for this process and those that it starts.
class ServiceNoticeTest : public ::testing::Test {
 protected:
  ServiceNoticeTest() {
    char directory[] = "/tmp/warmpool-notice-XXXXXX";
    directory_ = mkdtemp(directory);
    const std::string path = directory_ + "/notify";
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = AddressOf(path);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
              0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~ServiceNoticeTest() override {
    unsetenv("NOTIFY_SOCKET");
    close(fd_);
    unlink((directory_ + "/notify").c_str());
    unlink((directory_ + "/socket").c_str());
    rmdir((directory_ + "/shm").c_str());
    rmdir(directory_.c_str());
  }

  // The next one; empty if there is none within 10 s.
  std::string Receive() {
    pollfd polled = {.fd = fd_, .events = POLLIN, .revents = 0};
    char text[1024];
    if (poll(&polled, 1, 10000) != 1) return "";
    const ssize_t got = recv(fd_, text, sizeof(text), 0);
    return std::string(text, static_cast<size_t>(got));
  }

  bool IsServed(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = AddressOf(path);
    const bool served = connect(fd, reinterpret_cast<const sockaddr*>(&address),
                                sizeof(address)) == 0;
    close(fd);
    return served;
  }

  std::string directory_;
  int fd_ = -1;
};

TEST_F(ServiceNoticeTest, ReadyHasAStatusForPeople) {
  NoticeReady("serving unix:/x");
  EXPECT_EQ(Receive(), "READY=1\nSTATUS=serving unix:/x");
}

TEST_F(ServiceNoticeTest, StoppingAsksForAsMuchPatienceAsADrainTakes) {
  NoticeStopping(absl::Seconds(70));
  EXPECT_EQ(Receive(),
            "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=100000000");
  NoticeStopping(absl::InfiniteDuration());
  EXPECT_THAT(Receive(), HasSubstr("EXTEND_TIMEOUT_USEC=3153"));
}

TEST_F(ServiceNoticeTest, WithoutAManagerNothingHappens) {
  unsetenv("NOTIFY_SOCKET");
  NoticeReady("x");
  NoticeStopping(absl::ZeroDuration());
  setenv("NOTIFY_SOCKET", (directory_ + "/gone").c_str(), 1);
  NoticeReady("x");
}

TEST_F(ServiceNoticeTest, TheDaemonIsReadyWhenItServesAndTellsThatItStops) {
  const std::string path = directory_ + "/socket";
  testing::ChildProcess daemon({"server/warmpoold", "--listen=unix:" + path,
                                "--shm_dir=/dev/shm" + directory_.substr(4),
                                "--drain_timeout=5s", "--log_level=off"});
  EXPECT_EQ(Receive(), "READY=1\nSTATUS=serving unix:" + path);
  EXPECT_TRUE(IsServed(path));
  daemon.Signal(SIGTERM);
  EXPECT_THAT(Receive(), AllOf(HasSubstr("STOPPING=1\n"),
                               HasSubstr("EXTEND_TIMEOUT_USEC=35000000")));
  EXPECT_EQ(daemon.Wait(), 0);
}

TEST_F(ServiceNoticeTest, ADaemonThatCantServeIsNeverReady) {
  testing::ChildProcess daemon({"server/warmpoold",
                                "--listen=unix:" + directory_ + "/socket",
                                "--shm_dir=/proc/warmpool", "--log_level=off"});
  EXPECT_EQ(daemon.Wait(), 1);
  NoticeReady("this test's own");
  EXPECT_THAT(Receive(), HasSubstr("this test's own"));
}

}  // namespace
}  // namespace warmpool
