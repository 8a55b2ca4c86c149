#include "client/cli/doctor/socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool::doctor {
namespace {

class SocketTest : public ::testing::Test {
 protected:
  ~SocketTest() override {
    if (fd_ >= 0) close(fd_);
  }

  void Bind() {
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(
        bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0);
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.path() + "/socket";
  int fd_ = -1;
};

TEST_F(SocketTest, OneThatWillBeMadeIsOk) {
  EXPECT_THAT(CheckSocket(ReadSocket(path_)), IsOk());
  EXPECT_THAT(CheckSocket(ReadSocket("/tmp/warmpool-doctor-none/socket")),
              IsOk());
}

TEST_F(SocketTest, ADirectoryThatTheDaemonDoesNotMakeFails) {
  EXPECT_THAT(CheckSocket(ReadSocket("/tmp/warmpool-doctor-none/a/socket")),
              Fails("/tmp/warmpool-doctor-none/a is missing", "mkdir -p"));
  EXPECT_THAT(CheckSocket(ReadSocket("/nonexistent/socket")),
              Fails("/nonexistent is missing", "mkdir -p /nonexistent"));
}

TEST_F(SocketTest, OneThatSomebodyListensOnIsOkAndTellsWho) {
  Bind();
  ASSERT_EQ(listen(fd_, 1), 0);
  const SocketReadings readings = ReadSocket(path_);
  EXPECT_TRUE(readings.served());
  EXPECT_EQ(readings.pid, getpid());
  EXPECT_EQ(readings.uid, geteuid());
  EXPECT_THAT(CheckSocket(readings), IsOk());
}

TEST_F(SocketTest, OneThatIsLeftWarns) {
  Bind();
  EXPECT_THAT(CheckSocket(ReadSocket(path_)),
              Warns("its daemon has ended", "start the daemon"));
}

TEST_F(SocketTest, OneWhoseNameIsGoneWhileItsDaemonRunsFails) {
  EXPECT_THAT(CheckSocket(ReadSocket(path_), "pid 7, serving unix:/run/x"),
              Fails("pid 7, serving unix:/run/x", "removed its socket's file"));
  Bind();
  EXPECT_THAT(CheckSocket(ReadSocket(path_), "pid 7, serving unix:/run/x"),
              Fails("a daemon runs", "removed its socket's file"));
  ASSERT_EQ(listen(fd_, 1), 0);
  EXPECT_THAT(CheckSocket(ReadSocket(path_), "pid 7, serving unix:/run/x"),
              IsOk());
}

TEST_F(SocketTest, AnythingElseOfItsNameFails) {
  std::ofstream(path_) << "x";
  EXPECT_THAT(CheckSocket(ReadSocket(path_)),
              Fails("is no socket", "--listen="));
  EXPECT_THAT(CheckSocket(ReadSocket(path_ + "/socket")),
              Fails("Not a directory", "--listen="));
}

TEST(SocketChecksTest, ADirectoryThatKeepsThisUserOutFails) {
  EXPECT_THAT(CheckSocket({.path = "/run/warmpool/warmpool.sock",
                           .error = ENOENT,
                           .nearest = "/run"}),
              Fails("may not make it in /run", "RuntimeDirectory=warmpool"));
  EXPECT_THAT(CheckSocket({.path = "/run/warmpool/warmpool.sock",
                           .error = EACCES,
                           .nearest = "/run/warmpool",
                           .impassable = "/run/warmpool"}),
              Fails("may not pass /run/warmpool", "--allow_uid="));
}

TEST(SocketChecksTest, AModeThatKeepsThisUserOutFails) {
  EXPECT_THAT(CheckSocket({.path = "/run/warmpool/warmpool.sock",
                           .error = EACCES,
                           .is_socket = true,
                           .owner = 7,
                           .mode = 0600}),
              Fails("mode 0600 of uid 7", "--allow_uid="));
}

}  // namespace
}  // namespace warmpool::doctor
