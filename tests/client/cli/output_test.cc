// A tool whose output can't be written says so, and fails.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/run_tool.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

class OutputTest : public ::testing::Test {
 protected:
  // Runs it in a subshell, whose redirections come after RunTool's own.
  ToolResult Run(const std::string& command, const std::string& redirection) {
    return RunTool(absl::StrCat("(", command, " ", redirection, ")"));
  }

  std::string Target() const {
    return absl::StrCat(" --target=", daemon_.target());
  }

  // Every command that prints and comes to an end.
  std::vector<std::string> Commands() const {
    std::vector<std::string> commands = {
        "client/warmpool --help",
        "client/warmpool stats --help",
        "client/warmpool --version",
        "client/loadgen --help",
        absl::StrCat("client/loadgen --iterations=10 --size=4096", Target()),
        absl::StrCat("client/loadgen --iterations=10 --size=4096 --json=-",
                     Target())};
    for (const char* const command :
         {"stats", "list", "top --count=1", "watch", "events", "doctor",
          "lease 4096", "trim", "log-level", "gc --dry_run"}) {
      for (const char* const json : {"", " --json"}) {
        const std::string directory =
            absl::StartsWith(command, "gc")
                ? absl::StrCat(" --shm_dir=", daemon_.shm_dir())
                : "";
        commands.push_back(absl::StrCat("timeout 20 client/warmpool ", command,
                                        json, Target(), directory));
      }
    }
    return commands;
  }

  const DaemonProcess daemon_;
};

TEST_F(OutputTest, AFullDiskIsAFailure) {
  for (const std::string& command : Commands()) {
    const ToolResult result = Run(command, ">/dev/full");
    EXPECT_EQ(result.exit_code, 1) << command;
    EXPECT_THAT(result.err,
                HasSubstr("can't write to standard output: No space left on "
                          "device\n"))
        << command;
  }
}

TEST_F(OutputTest, SoIsAClosedOutput) {
  for (const std::string& command : Commands()) {
    const ToolResult result = Run(command, ">&-");
    EXPECT_EQ(result.exit_code, 1) << command;
    EXPECT_THAT(
        result.err,
        HasSubstr("can't write to standard output: Bad file descriptor"))
        << command;
  }
}

TEST_F(OutputTest, AReaderThatHasSeenEnoughEndsItQuietly) {
  for (const char* const command : {"list", "watch", "watch --json"}) {
    const ToolResult result =
        Run(absl::StrCat("timeout 20 client/warmpool ", command, Target()),
            "| head -c 1");
    EXPECT_EQ(result.exit_code, 0) << command;
    EXPECT_THAT(result.err, IsEmpty()) << command;
  }
}

TEST_F(OutputTest, WhereSigpipeIsIgnoredItEndsToo) {
  const ToolResult result =
      Run(absl::StrCat("trap '' PIPE; timeout 20 client/warmpool watch "
                       "--interval=100ms",
                       Target()),
          "| head -c 1");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err,
              MatchesRegex("warmpool: can't write to standard output: Broken "
                           "pipe\n"));
}

TEST_F(OutputTest, ALeaseThatNobodyLearnsOfIsReleased) {
  // It would hold it until its time is over.
  const ToolResult lease =
      Run(absl::StrCat("timeout 20 client/warmpool lease 4096", Target()),
          ">/dev/full");
  EXPECT_EQ(lease.exit_code, 1);
  const ToolResult stats =
      RunTool(absl::StrCat("client/warmpool stats --json", Target()));
  EXPECT_THAT(stats.out, HasSubstr("\"live_leases\": \"0\""));
}

TEST_F(OutputTest, AClosedErrorOutputDoesNotReceiveWhatIsPrintedElsewhere) {
  const ToolResult result = Run(
      absl::StrCat("client/warmpool release nonsense", Target()), "<&- 2>&-");
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.out, IsEmpty());
}

}  // namespace
}  // namespace warmpool::testing
