// The daemon where the system has few threads to give: it serves, or it says
// why it can't and leaves nothing that keeps the next one from starting.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/runfile.h"

namespace warmpool::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// No other process is this user's, so its limit counts the daemon's threads.
constexpr uid_t kUser = 61002;

class ThreadLimitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
    // The user may not pass the directories of the runfiles.
    std::string made = "/tmp/warmpool-threads-XXXXXX";
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    directory_ = made;
    shm_dir_ = absl::StrCat("/dev/shm/warmpool-threads-", getpid());
    fs::copy_file(Runfile("server/warmpoold"), program());
    fs::permissions(program(), fs::perms(0755));
    fs::permissions(directory_, fs::perms(0755));
    fs::create_directory(directory_ + "/run");
    ASSERT_EQ(chown((directory_ + "/run").c_str(), kUser, kUser), 0);
  }
  ~ThreadLimitTest() override {
    if (directory_.empty()) return;
    fs::remove_all(directory_);
    fs::remove_all(shm_dir_);
  }

  // That of a daemon with a metrics port, which has threads of its own.
  std::vector<std::string> Command(int threads) const {
    return {"/bin/sh",
            "-c",
            absl::StrCat("exec prlimit --nproc=", threads,
                         " setpriv --reuid=", kUser, " --regid=", kUser,
                         " --clear-groups \"$0\" \"$@\" 2>&1"),
            program(),
            absl::StrCat("--shm_dir=", shm_dir_),
            absl::StrCat("--listen=unix:", socket()),
            "--metrics_listen=127.0.0.1:0"};
  }
  // All lines until it serves or ends.
  static std::string Output(ChildProcess& daemon) {
    std::string output;
    for (std::string line = daemon.ReadLine(); !line.empty();
         line = daemon.ReadLine()) {
      absl::StrAppend(&output, line, "\n");
      if (absl::StrContains(line, "serving listen=")) break;
    }
    return output;
  }

  std::string program() const { return directory_ + "/warmpoold"; }
  std::string socket() const { return directory_ + "/run/socket"; }

  std::string directory_;
  std::string shm_dir_;
};

TEST_F(ThreadLimitTest, ItServesOrSaysWhyNot) {
  int threads = 1;
  for (;; ++threads) {
    ASSERT_LT(threads, 200);
    ChildProcess daemon(Command(threads));
    const std::string output = Output(daemon);
    if (absl::StrContains(output, "serving listen=")) {
      daemon.Signal(SIGTERM);
      EXPECT_EQ(daemon.Wait(), 0) << output;
      break;
    }
    EXPECT_EQ(daemon.Wait(), 1) << output;
    const std::vector<std::string> lines =
        absl::StrSplit(output, '\n', absl::SkipEmpty());
    ASSERT_FALSE(lines.empty());
    EXPECT_THAT(lines.back(),
                AllOf(StartsWith("warmpoold: no thread is left: RLIMIT_NPROC "
                                 "allows uid 61002 "),
                      HasSubstr("ulimit -u")))
        << "with " << threads << " threads: " << output;
    EXPECT_FALSE(fs::exists(socket())) << "with " << threads << " threads";
  }
  EXPECT_GT(threads, 20);
}

// What it needs to stop in order it has from the start.
TEST_F(ThreadLimitTest, ItStopsInOrderThoughThereIsNoFurtherThread) {
  ChildProcess daemon(Command(1000));
  ASSERT_THAT(Output(daemon), HasSubstr("serving listen="));
  // Only a process of the same user may, where root lacks CAP_SYS_RESOURCE.
  ChildProcess limit(
      {"/bin/sh", "-c",
       absl::StrCat(
           "exec setpriv --reuid=", kUser, " --regid=", kUser,
           " --clear-groups prlimit --nproc=1:1 --pid=", daemon.pid())});
  ASSERT_EQ(limit.Wait(), 0);
  {
    RawClient client("unix:" + socket());
    const v1::GrantedLease lease =
        client.MustLease(RawClient::LeaseOf(8 << 20));
    EXPECT_EQ(client.Release(RawClient::ReleaseOf(lease)).code(), 0);
  }
  daemon.Signal(SIGTERM);
  EXPECT_EQ(daemon.Wait(), 0);
  EXPECT_THAT(daemon.ReadAll(), HasSubstr("stopped leases_left=0"));
  EXPECT_FALSE(fs::exists(socket()));
}

}  // namespace
}  // namespace warmpool::testing
