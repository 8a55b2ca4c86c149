#include "client/rpc/local_socket.h"

#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {
namespace {

// Another user than the one that listens.
constexpr uid_t kStranger = 61004;

// A socket that everybody can connect to.
class OpenSocket {
 public:
  OpenSocket() : path_(directory_.Join("socket")) {
    EXPECT_EQ(chmod(directory_.path().c_str(), 0755), 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(
        bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
        0);
    EXPECT_EQ(chmod(path_.c_str(), 0777), 0);
    EXPECT_EQ(listen(fd_, 5), 0);
  }
  ~OpenSocket() { close(fd_); }

  const std::string& path() const { return path_; }

 private:
  const ScratchDirectory directory_;
  const std::string path_;
  int fd_ = -1;
};

// The exit status of a process of the stranger's.
int AsStranger(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(setresgid(kStranger, kStranger, kStranger) < 0 ||
                  setresuid(kStranger, kStranger, kStranger) < 0
              ? 100
              : work());
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool IsRefused(const absl::Status& status, const char* why) {
  const bool refused = absl::IsPermissionDenied(status) &&
                       absl::StrContains(status.message(), why);
  if (!refused) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return refused;
}

TEST(LocalSocketTest, RootIsTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be several users";
  const OpenSocket open;
  EXPECT_EQ(AsStranger([&] { return ConnectTo(open.path(), {}).ok() ? 0 : 1; }),
            0);
}

// There the kernel shows each user by the same uid, this process's own among
// them.
TEST(LocalSocketTest, NobodyIsTrustedInAUserNamespaceThatKnowsNobody) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be several users";
  const OpenSocket open;
  const int outcome = AsStranger([&] {
    if (unshare(CLONE_NEWUSER) < 0) return 2;
    constexpr char kWhy[] = "no uid in this process's user namespace";
    return IsRefused(ConnectTo(open.path(), {}).status(), kWhy) &&
                   // Naming the uid that all share is no help.
                   IsRefused(
                       ConnectTo(open.path(), {.named = geteuid()}).status(),
                       kWhy)
               ? 0
               : 1;
  });
  if (outcome == 2) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(outcome, 0);
}

}  // namespace
}  // namespace warmpool
