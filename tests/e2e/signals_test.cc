// Which signals stop a daemon, and which it survives.
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"
#include "tests/support/shell_daemon.h"

namespace warmpool::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// But for real-time signals.
const std::vector<int> kWithoutUse = {SIGHUP,    SIGUSR1, SIGUSR2, SIGALRM,
                                      SIGVTALRM, SIGPROF, SIGPWR,  SIGSTKFLT};
const std::vector<int> kIgnored = {SIGPIPE, SIGXFSZ, SIGIO, SIGTTOU};

// A mask of a thread: "SigBlk:  0000000000004000".
uint64_t MaskOf(const std::string& status_file, const std::string& key) {
  std::ifstream file(status_file);
  for (std::string line; std::getline(file, line);) {
    uint64_t mask = 0;
    if (absl::StartsWith(line, key) &&
        absl::SimpleHexAtoi(line.substr(key.size()), &mask)) {
      return mask;
    }
  }
  return 0;
}

bool Has(uint64_t mask, int number) { return (mask >> (number - 1) & 1) != 0; }

TEST(SignalsTest, ThoseWithoutUseLeaveALineAndTheDaemonGoesOn) {
  ShellDaemon daemon(ShellDaemon::kExec);
  ASSERT_THAT(daemon.LineWith("serving"), Not(IsEmpty()));
  RawClient client(daemon.target());
  client.MustLease(RawClient::LeaseOf(4096));
  std::vector<int> numbers = kWithoutUse;
  numbers.insert(numbers.end(), {SIGRTMIN, SIGRTMAX});
  for (const int number : numbers) {
    // As many as are logged in a second.
    if (number == SIGVTALRM) absl::SleepFor(absl::Milliseconds(1100));
    daemon.process().Signal(number);
    if (number == SIGHUP) {
      EXPECT_THAT(daemon.LineWith("signal="),
                  AllOf(HasSubstr("signal=SIGHUP does=nothing"),
                        HasSubstr(absl::StrCat(" pid=", getpid(), " uid="))));
    }
    ASSERT_EQ(client.Stats().leases().live_leases(), 1u) << strsignal(number);
  }
  for (const int number : kIgnored) {
    daemon.process().Signal(number);
    ASSERT_EQ(client.Stats().leases().live_leases(), 1u) << strsignal(number);
  }
  daemon.process().Signal(SIGTERM);
  EXPECT_EQ(daemon.process().Wait(), 0);
}

TEST(SignalsTest, ThoseThatStopDoSoInOrder) {
  for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGXCPU}) {
    ShellDaemon daemon(ShellDaemon::kExec);
    ASSERT_THAT(daemon.LineWith("serving"), Not(IsEmpty()));
    daemon.process().Signal(number);
    EXPECT_THAT(
        daemon.process().ReadAll(),
        AllOf(HasSubstr("does=stop"), HasSubstr("stopped leases_left=0")))
        << strsignal(number);
    EXPECT_EQ(daemon.process().Wait(), 0) << strsignal(number);
    EXPECT_FALSE(std::filesystem::exists(daemon.socket()));
    EXPECT_FALSE(std::filesystem::exists(daemon.shm_dir()));
  }
}

TEST(SignalsTest, ABackgroundJobLeavesTheKeyboardsSignalsAlone) {
  ShellDaemon daemon(absl::StrCat("trap '' INT QUIT; ", ShellDaemon::kExec));
  ASSERT_THAT(daemon.LineWith("serving"), Not(IsEmpty()));
  daemon.process().Signal(SIGINT);
  daemon.process().Signal(SIGQUIT);
  RawClient(daemon.target()).Stats();
  daemon.process().Signal(SIGTERM);
  EXPECT_EQ(daemon.process().Wait(), 0);
}

TEST(SignalsTest, EveryThreadHasThemBlocked) {
  ShellDaemon daemon(ShellDaemon::kExec, {"--metrics_listen=127.0.0.1:0"});
  ASSERT_THAT(daemon.LineWith("serving"), Not(IsEmpty()));
  // Until calls have brought what threads they bring.
  RawClient client(daemon.target());
  client.MustLease(RawClient::LeaseOf(4 << 20));
  std::vector<int> numbers = kWithoutUse;
  numbers.insert(numbers.end(), {SIGTERM, SIGINT, SIGQUIT, SIGXCPU, SIGRTMAX});
  std::vector<uint64_t> masks;
  for (const auto& task : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", daemon.pid(), "/task"))) {
    masks.push_back(MaskOf(task.path() / "status", "SigBlk:"));
  }
  EXPECT_GT(masks.size(), 5u);
  const auto threads_without = [&](int number) {
    size_t count = 0;
    for (const uint64_t mask : masks) count += !Has(mask, number);
    return count;
  };
  for (const int number : numbers) {
    EXPECT_EQ(threads_without(number), 1u)
        << "one waits for " << strsignal(number);
  }
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT}) {
    EXPECT_EQ(threads_without(number), masks.size()) << strsignal(number);
  }
  // Any thread may stop the process.
  EXPECT_GT(threads_without(SIGTSTP), 0u);
}

TEST(SignalsTest, AStopThatComesDuringTheStartIsHeeded) {
  // Where the signal meets it differs.
  for (int i = 0; i < 20; ++i) {
    ShellDaemon daemon(ShellDaemon::kExec);
    ASSERT_THAT(daemon.LineWith("pool ready"), Not(IsEmpty()));
    daemon.process().Signal(SIGTERM);
    EXPECT_THAT(daemon.process().ReadAll(), HasSubstr("stopped leases_left=0"));
    EXPECT_EQ(daemon.process().Wait(), 0);
  }
}

TEST(SignalsTest, ASecondStopEndsADrain) {
  ShellDaemon daemon(ShellDaemon::kExec, {"--drain_timeout=1h"});
  ASSERT_THAT(daemon.LineWith("serving"), Not(IsEmpty()));
  RawClient client(daemon.target());
  client.MustLease(RawClient::LeaseOf(4096));
  daemon.process().Signal(SIGTERM);
  ASSERT_THAT(daemon.LineWith("draining"), Not(IsEmpty()));
  EXPECT_EQ(client.Stats().leases().live_leases(), 1u);
  daemon.process().Signal(SIGTERM);
  EXPECT_THAT(daemon.process().ReadAll(), HasSubstr("stopped leases_left=1"));
  EXPECT_EQ(daemon.process().Wait(), 0);
}

TEST(SignalsTest, AStoppedDaemonGoesOnWhereItWas) {
  ShellDaemon daemon(ShellDaemon::kExec);
  ASSERT_THAT(daemon.LineWith("serving"), Not(IsEmpty()));
  RawClient client(daemon.target());
  const v1::GrantedLease lease = client.MustLease(RawClient::LeaseOf(4096));
  daemon.process().Signal(SIGSTOP);
  // A call that comes meanwhile waits for it.
  grpc::ClientContext context;
  RawClient::SetDeadline(&context);
  grpc::CompletionQueue queue;
  v1::GetStatsResponse stats;
  grpc::Status status;
  const auto call =
      client.stub().AsyncGetStats(&context, v1::GetStatsRequest(), &queue);
  call->Finish(&stats, &status, nullptr);
  daemon.process().Signal(SIGTERM);
  daemon.process().Signal(SIGCONT);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  queue.Shutdown();
  EXPECT_THAT(daemon.process().ReadAll(), HasSubstr("stopped leases_left=1"));
  EXPECT_EQ(daemon.process().Wait(), 0);
}

}  // namespace
}  // namespace warmpool::testing
