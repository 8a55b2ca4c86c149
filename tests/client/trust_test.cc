// Whom the library trusts to be a daemon, and with what. In a binary of its
// own, and one test, since the impostor is forked before gRPC is used.
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/scripted_daemon.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/scratch_directory.h"
#include "tests/support/daemon_process.h"
#include "warmpool/warmpool.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::warmpool::testing::Eventually;

constexpr uid_t kNobody = 65534;
constexpr uint64_t kBytes = 4096;

// A process of another user's that answers every lease with a path of its own
// choosing.
class Impostor {
 public:
  explicit Impostor(const std::string& victim) {
    int answer[2], stop[2];
    EXPECT_EQ(pipe2(answer, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(stop, O_CLOEXEC), 0);
    child_ = fork();
    if (child_ == 0) {
      close(stop[1]);
      Main(victim, answer[1], stop[0]);
      _exit(0);
    }
    close(answer[1]);
    close(stop[0]);
    stop_ = stop[1];
    char path[128] = {};
    EXPECT_GT(read(answer[0], path, sizeof(path) - 1), 0);
    socket_path_ = path;
    close(answer[0]);
  }
  ~Impostor() {
    close(stop_);
    int status = 0;
    waitpid(child_, &status, 0);
    EXPECT_EQ(status, 0);
  }

  const std::string& socket_path() const { return socket_path_; }

 private:
  static void Main(const std::string& victim, int answer, int stop) {
    if (setresgid(kNobody, kNobody, kNobody) < 0 ||
        setresuid(kNobody, kNobody, kNobody) < 0) {
      _exit(1);
    }
    ScriptedDaemon daemon;
    daemon.on_lease = [&](const auto&, v1::LeaseResponse* response) {
      *response->mutable_lease() = daemon.MakeLease(kBytes);
      response->mutable_lease()->set_path(victim);
      return grpc::Status::OK;
    };
    daemon.on_release = [](const v1::ReleaseRequest& request,
                           v1::ReleaseResponse* response) {
      for (int i = 0; i < request.leases_size(); ++i) response->add_results();
      return grpc::Status::OK;
    };
    daemon.Listen();
    const std::string path = daemon.socket_path();
    if (write(answer, path.data(), path.size()) < 0) _exit(1);
    char end;
    if (read(stop, &end, 1) != 0) _exit(1);
  }

  pid_t child_ = 0;
  int stop_ = -1;
  std::string socket_path_;
};

// Whether anybody has opened a file since this was made.
class OpenWatch {
 public:
  explicit OpenWatch(const std::string& path)
      : fd_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    EXPECT_GE(inotify_add_watch(fd_, path.c_str(), IN_OPEN), 0);
  }
  ~OpenWatch() { close(fd_); }

  bool Opened() const {
    char event[4096];
    return read(fd_, event, sizeof(event)) >= 0 || errno != EAGAIN;
  }

 private:
  const int fd_;
};

absl::StatusOr<Client> Connect(const std::string& socket_path,
                               std::optional<uid_t> daemon_uid) {
  return Client::Connect("unix:" + socket_path, {.deadline = absl::Seconds(10),
                                                 .daemon_uid = daemon_uid});
}

TEST(TrustTest, AnImpostorGetsNothingAndNoFileOfTheVictimsIsOpened) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  const ScratchDirectory directory;
  const std::string victim = directory.Join("precious");
  std::ofstream(victim) << std::string(kBytes, 'p');
  const Impostor impostor(victim);
  const OpenWatch watch(victim);

  EXPECT_THAT(Connect(impostor.socket_path(), std::nullopt),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("uid 65534 listens on")));

  // Even a daemon that is trusted names nothing but what is its own.
  absl::StatusOr<Client> trusting = Connect(impostor.socket_path(), kNobody);
  ASSERT_THAT(trusting, IsOk());
  EXPECT_THAT(trusting->Lease(kBytes),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("belongs to uid 0, the daemon is uid 65534")));

  // One that comes in the place of a daemon that was trusted.
  ScriptedDaemon daemon;
  daemon.Listen();
  absl::StatusOr<Client> client =
      Client::Connect(daemon.target(), {.deadline = absl::Milliseconds(500)});
  ASSERT_THAT(client, IsOk());
  ASSERT_THAT(client->Lease(kBytes),
              StatusIs(absl::StatusCode::kUnimplemented));
  std::filesystem::remove(daemon.socket_path());
  std::filesystem::create_symlink(impostor.socket_path(), daemon.socket_path());
  daemon.LoseConnection();
  EXPECT_TRUE(Eventually(
      [&] { return absl::IsUnavailable(client->Lease(kBytes).status()); }));
  EXPECT_THAT(client->Lease(kBytes),
              StatusIs(absl::StatusCode::kUnavailable,
                       HasSubstr("uid 65534 listens on")));
  EXPECT_FALSE(watch.Opened());
}

}  // namespace
}  // namespace warmpool
