#include "server/log/daemon_log.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "server/log/log_level.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

// More than wait in the queue and fit into a pipe.
constexpr int kManyLines = 5000;

// Standard error is a pipe that nobody reads but the test. There is one log in
// a process, so what a test has it write it reads to its end.
class DaemonLogTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    signal(SIGPIPE, SIG_IGN);
    ASSERT_TRUE(StartDaemonLog().ok());
  }

  DaemonLogTest() : stderr_before_(dup(STDERR_FILENO)) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    reader_ = ends[0];
  }
  ~DaemonLogTest() override {
    FlushDaemonLog(absl::Seconds(10));
    dup2(stderr_before_, STDERR_FILENO);
    close(stderr_before_);
    if (reader_ >= 0) close(reader_);
  }

  // What is written up to a line that has `text`, or to the end.
  std::string ReadUpTo(const std::string& text) {
    std::string all;
    std::string line;
    char c;
    while (!absl::StrContains(line, text) && read(reader_, &c, 1) == 1) {
      if (line.empty() || line.back() != '\n') {
        line.push_back(c);
        continue;
      }
      all += line;
      line = c;
    }
    while (!line.empty() && line.back() != '\n' && read(reader_, &c, 1) == 1) {
      line.push_back(c);
    }
    return all + line;
  }

  const int stderr_before_;
  int reader_ = -1;
};

TEST_F(DaemonLogTest, AFlushWaitsUntilAllIsWritten) {
  spdlog::info("one number={}", 1);
  LogFatal("two");
  FlushDaemonLog(absl::Seconds(10));
  // At its end: nothing is written later.
  dup2(stderr_before_, STDERR_FILENO);
  const std::string text = ReadUpTo("no such text");
  EXPECT_THAT(text, HasSubstr(" info one number=1\n"));
  EXPECT_THAT(text, HasSubstr("\nwarmpoold: two\n"));
}

TEST_F(DaemonLogTest, NobodyWaitsForTheReaderAndWhatIsLostIsToldOf) {
  const uint64_t before = LogLinesDropped();
  for (int i = 0; i < kManyLines; ++i) {
    spdlog::info("line number={} {}", i, std::string(200, 'x'));
  }
  const absl::Time begun = absl::Now();
  FlushDaemonLog(absl::Milliseconds(10));
  EXPECT_LT(absl::Now() - begun, absl::Seconds(9))
      << "it waited for the reader";
  const uint64_t dropped = LogLinesDropped() - before;
  EXPECT_GT(dropped, 0u);

  const std::string text = ReadUpTo(absl::StrCat("number=", kManyLines - 1));
  uint64_t told = 0;
  uint64_t lines = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    lines += absl::StrContains(line, "line number=");
    constexpr absl::string_view kTold = "log lines dropped count=";
    const size_t at = line.find(kTold);
    uint64_t count = 0;
    if (at != absl::string_view::npos &&
        absl::SimpleAtoi(line.substr(at + kTold.size()), &count)) {
      told += count;
    }
  }
  // The flush may have cost one.
  EXPECT_EQ(told, LogLinesDropped() - before);
  EXPECT_GE(told + lines, uint64_t{kManyLines});
  EXPECT_LE(told + lines, uint64_t{kManyLines} + 1);
}

TEST_F(DaemonLogTest, LinesThatCantBeWrittenAreToldOfOnceOthersCan) {
  close(reader_);
  reader_ = -1;
  const uint64_t before = LogLinesDropped();
  spdlog::info("into a pipe without a reader");
  FlushDaemonLog(absl::Seconds(10));
  EXPECT_EQ(LogLinesDropped() - before, 1u);
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  dup2(full, STDERR_FILENO);
  close(full);
  spdlog::info("onto a full disk");
  FlushDaemonLog(absl::Seconds(10));
  EXPECT_EQ(LogLinesDropped() - before, 2u);

  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  reader_ = ends[0];
  spdlog::info("well again");
  const std::string text = ReadUpTo("well again");
  EXPECT_THAT(text, HasSubstr(" warning log lines dropped count=2\n"));
  EXPECT_EQ(LogLinesDropped() - before, 2u);
}

TEST_F(DaemonLogTest, APipeThatAnotherProcessMadeNonBlockingLosesNothing) {
  fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
  const uint64_t before = LogLinesDropped();
  // More than fits into the pipe, fewer than wait.
  for (int i = 0; i < 600; ++i) {
    spdlog::info("line number={} {}", i, std::string(200, 'x'));
  }
  const std::string text = ReadUpTo("number=599");
  EXPECT_EQ(LogLinesDropped(), before);
  EXPECT_THAT(text, HasSubstr("number=300"));
}

TEST_F(DaemonLogTest, TheReasonOfAFailedStartIsToldAtEveryLevel) {
  ASSERT_TRUE(SetLogLevel("off").ok());
  spdlog::error("not to be seen");
  LogFatal("can't start");
  FlushDaemonLog(absl::Seconds(10));
  ASSERT_TRUE(SetLogLevel("info").ok());
  EXPECT_EQ(ReadUpTo("can't start"), "warmpoold: can't start\n");
}

}  // namespace
}  // namespace warmpool
