// A daemon takes from whoever starts it what may hurt it: closed descriptors,
// the umask, the working directory, settings of gRPC.
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"
#include "tests/support/shell_daemon.h"

namespace warmpool::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

std::string ContentsOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

mode_t ModeOf(const std::string& path) {
  struct stat file {};
  EXPECT_EQ(lstat(path.c_str(), &file), 0) << path;
  return file.st_mode & 07777;
}

TEST(StartedAnyhowTest, WithoutStandardDescriptorsTheLogGoesIntoNoFile) {
  ShellDaemon daemon("exec \"$@\" <&- >&- 2>&-", {"--log_level=trace"});
  ASSERT_TRUE(daemon.Listens());
  RawClient client(daemon.target());
  client.MustLease(RawClient::LeaseOf(4096));
  v1::LeaseResponse none;
  EXPECT_FALSE(client.Lease(RawClient::LeaseOf(0), &none).ok());
  const std::string descriptors = absl::StrCat("/proc/", daemon.pid(), "/fd/");
  for (const int fd : {0, 1, 2}) {
    EXPECT_EQ(fs::read_symlink(absl::StrCat(descriptors, fd)), "/dev/null");
  }
  EXPECT_THAT(ContentsOf(daemon.shm_dir() + "/daemon.lock"),
              MatchesRegex("pid [0-9]+, serving unix:[^\n]*\n"));
  daemon.process().Signal(SIGTERM);
  EXPECT_EQ(daemon.process().Wait(), 0);
}

TEST(StartedAnyhowTest, TheUmaskChangesNoMode) {
  for (const char* const umask : {"0777", "0000"}) {
    ShellDaemon daemon(absl::StrCat("umask ", umask, "; ", ShellDaemon::kExec));
    ASSERT_THAT(daemon.LineWith("serving"), Not(IsEmpty()));
    const v1::GrantedLease lease =
        RawClient(daemon.target()).MustLease(RawClient::LeaseOf(4096));
    EXPECT_EQ(ModeOf(daemon.socket()), 0600u) << umask;
    EXPECT_EQ(ModeOf(daemon.shm_dir()), 0700u) << umask;
    for (const auto& entry :
         fs::recursive_directory_iterator(daemon.shm_dir())) {
      EXPECT_EQ(ModeOf(entry.path()), entry.is_directory() ? 0700u : 0600u)
          << umask << " " << entry.path();
    }
    daemon.process().Signal(SIGTERM);
    EXPECT_EQ(daemon.process().Wait(), 0);
  }
}

TEST(StartedAnyhowTest, RelativePathsAreThoseOfTheStart) {
  ShellDaemon daemon(
      "D=${2#--listen=unix:}; D=${D%/socket}; cd \"$D\"; "
      "mkdir below; cd below; "
      "exec \"$@\" --listen=unix:../socket 2>&1");
  ASSERT_TRUE(daemon.Listens());
  EXPECT_EQ(RawClient(daemon.target()).Stats().shm_dir(), daemon.shm_dir());
  daemon.process().Signal(SIGTERM);
  EXPECT_EQ(daemon.process().Wait(), 0);
  EXPECT_FALSE(fs::exists(daemon.socket()));
}

TEST(StartedAnyhowTest, ARelativeDirectoryIsToldToClientsAsAnAbsoluteOne) {
  ShellDaemon daemon(
      "cd /dev/shm; S=${3##*/}; exec \"$@\" --shm_dir=\"$S\" 2>&1");
  ASSERT_TRUE(daemon.Listens());
  RawClient client(daemon.target());
  EXPECT_EQ(client.Stats().shm_dir(), daemon.shm_dir());
  EXPECT_THAT(client.MustLease(RawClient::LeaseOf(4096)).path(),
              HasSubstr(daemon.shm_dir() + "/"));
}

TEST(StartedAnyhowTest, SettingsOfGrpcDoNotReachIt) {
  for (const char* const setting :
       {"GRPC_POLL_STRATEGY=none", "GRPC_POLL_STRATEGY=nonsense",
        "GRPC_ENABLE_FORK_SUPPORT=1", "GRPC_EXPERIMENTS=nonsense"}) {
    ShellDaemon daemon(
        absl::StrCat("export ", setting, "; ", ShellDaemon::kExec));
    EXPECT_THAT(daemon.LineWith("variable of the environment ignored"),
                HasSubstr("name=\"GRPC_"))
        << setting;
    ASSERT_TRUE(daemon.Listens()) << setting;
    RawClient(daemon.target()).MustLease(RawClient::LeaseOf(4096));
    daemon.process().Signal(SIGTERM);
    EXPECT_EQ(daemon.process().Wait(), 0) << setting;
  }
}

TEST(StartedAnyhowTest, ProxiesTracesAndLocalesDoNotMatter) {
  ShellDaemon daemon(absl::StrCat(
      "export http_proxy=http://192.0.2.1:1 GRPC_VERBOSITY=debug "
      "GRPC_TRACE=all "
      "LC_ALL=de_DE.UTF-8 TZ=nonsense HOME= TMPDIR=relative XDG_RUNTIME_DIR=; ",
      ShellDaemon::kExec));
  ASSERT_THAT(daemon.LineWith("serving"), Not(IsEmpty()));
  RawClient(daemon.target()).MustLease(RawClient::LeaseOf(4096));
  daemon.process().Signal(SIGTERM);
  EXPECT_THAT(daemon.process().ReadAll(), HasSubstr("stopped leases_left=1"));
  EXPECT_EQ(daemon.process().Wait(), 0);
}

}  // namespace
}  // namespace warmpool::testing
