// What a socket file of somebody else's is safe from.
#include "server/transport/bound_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/base/unique_fd.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

namespace fs = std::filesystem;

class BoundSocketTest : public ::testing::Test {
 protected:
  // A socket of that type at path_.
  UniqueFd SocketThere(int type) {
    UniqueFd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                   sizeof(address)),
              0);
    return fd;
  }
  // Connects until nobody else gets in.
  std::vector<UniqueFd> FillBacklog() {
    std::vector<UniqueFd> connections;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
    for (;;) {
      UniqueFd fd(
          socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof(address)) < 0) {
        return connections;
      }
      connections.push_back(std::move(fd));
    }
  }

  const ScratchDirectory scratch_;
  const std::string path_ = scratch_.Join("warmpool.sock");
  SocketAccess access_;
};

TEST_F(BoundSocketTest, ReplacesWhatADeadProcessLeft) {
  { const UniqueFd dead = SocketThere(SOCK_STREAM); }
  EXPECT_THAT(BoundSocket::Bind(path_, access_), IsOk());
  EXPECT_FALSE(fs::exists(path_)) << "its end removes the file";
}

TEST_F(BoundSocketTest, LeavesALiveSocketOfAnotherTypeAlone) {
  const UniqueFd live = SocketThere(SOCK_DGRAM);
  EXPECT_THAT(BoundSocket::Bind(path_, access_), Not(IsOk()));
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(BoundSocketTest, DoesNotWaitForAProcessThatAcceptsNobody) {
  const UniqueFd live = SocketThere(SOCK_STREAM);
  ASSERT_EQ(listen(live.get(), 1), 0);
  const std::vector<UniqueFd> waiting = FillBacklog();
  EXPECT_THAT(BoundSocket::Bind(path_, access_),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(path_)));
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(BoundSocketTest, GivesTheFileItsModeAndGroup) {
  SocketAccess access;
  access.mode = 0660;
  access.group = getegid();
  const auto bound = BoundSocket::Bind(path_, access);
  ASSERT_THAT(bound, IsOk());
  struct stat file;
  ASSERT_EQ(lstat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0660u);
  EXPECT_EQ(file.st_gid, getegid());
}

}  // namespace
}  // namespace warmpool
