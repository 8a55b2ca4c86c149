#include "server/service/service_notice.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/service_manager.h"
#include "tests/support/daemon_process.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ServiceNoticeTest : public ::testing::Test {
 protected:
  std::string Receive() { return manager_.Receive(); }

  bool IsServed(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = testing::UnixAddress(path);
    const bool served = connect(fd, reinterpret_cast<const sockaddr*>(&address),
                                sizeof(address)) == 0;
    close(fd);
    return served;
  }

  testing::ServiceManager manager_;
  const std::string directory_ = manager_.directory();
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
                                "--shm_dir=" + manager_.shm_dir(),
                                "--drain_timeout=5s", "--log_level=off"});
  EXPECT_EQ(Receive(), "READY=1\nSTATUS=serving unix:" + path);
  EXPECT_TRUE(IsServed(path));
  daemon.Signal(SIGTERM);
  EXPECT_THAT(Receive(), AllOf(HasSubstr("STOPPING=1\n"),
                               HasSubstr("EXTEND_TIMEOUT_USEC=35000000")));
  EXPECT_EQ(daemon.Wait(), 0);
}

TEST_F(ServiceNoticeTest, TheDaemonTellsThatItLivesIfItIsAskedTo) {
  setenv("WATCHDOG_USEC", "60000", 1);
  testing::ChildProcess daemon(
      {"server/warmpoold", "--listen=unix:" + directory_ + "/socket",
       "--shm_dir=" + manager_.shm_dir(), "--log_level=off"});
  unsetenv("WATCHDOG_USEC");
  int alive = 0;
  bool ready = false;
  while (alive < 5 || !ready) {
    const std::string told = Receive();
    ASSERT_NE(told, "");
    if (told == "WATCHDOG=1") ++alive;
    ready |= told.starts_with("READY=1");
  }
  daemon.Signal(SIGTERM);
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
