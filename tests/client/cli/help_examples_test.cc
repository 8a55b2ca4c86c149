// Every command's --help ends in an example, and each does what it shows.
#include <signal.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/run_tool.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr char kTool[] = "client/warmpool";

std::string Help(const std::string& command) {
  return RunTool(absl::StrCat(kTool, " help ", command)).out;
}

// Those that `warmpool --help` lists.
std::vector<std::string> Commands() {
  const std::string help = RunTool(absl::StrCat(kTool, " --help")).out;
  std::vector<std::string> commands;
  bool listing = false;
  for (absl::string_view line : absl::StrSplit(help, '\n')) {
    if (line == "Commands:") {
      listing = true;
    } else if (listing && !absl::ConsumePrefix(&line, "  ")) {
      break;
    } else if (listing) {
      commands.emplace_back(line.substr(0, line.find(' ')));
    }
  }
  return commands;
}

// The indented lines that start with the command.
std::vector<std::string> ExamplesIn(const std::string& help,
                                    const std::string& command) {
  const std::string start = absl::StrCat("warmpool ", command);
  std::vector<std::string> examples;
  for (absl::string_view line : absl::StrSplit(help, '\n')) {
    if (absl::ConsumePrefix(&line, "  ") &&
        (line == start || absl::StartsWith(line, start + " "))) {
      examples.emplace_back(line);
    }
  }
  return examples;
}

bool IsLeaseId(absl::string_view word) {
  return word.size() == 32 &&
         word.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

// A daemon, with a buffer that somebody holds.
class Scene {
 public:
  Scene()
      : holder_({kTool, "lease", "64KiB", "--name=camera/0",
                 "--target=" + daemon_.target()}) {
    holder_.ReadLine();
    lease_id_ = std::string(absl::StripAsciiWhitespace(
        absl::StripPrefix(holder_.ReadLine(), "lease")));
    EXPECT_TRUE(IsLeaseId(lease_id_)) << lease_id_;
  }

  // The example as it is to be run: with this lease instead of the one it
  // names, on this daemon.
  std::string CommandLine(const std::string& example,
                          const std::string& flags) const {
    std::vector<std::string> words = absl::StrSplit(example, ' ');
    for (std::string& word : words) {
      if (IsLeaseId(word)) word = lease_id_;
    }
    words.front() = kTool;
    const std::string line = absl::StrJoin(words, " ");
    const std::vector<std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(" | ", 1));
    return absl::StrCat(parts[0], " --target=", daemon_.target(), flags,
                        parts.size() > 1 ? absl::StrCat(" | ", parts[1]) : "");
  }

 private:
  DaemonProcess daemon_;
  ChildProcess holder_;
  std::string lease_id_;
};

// Until it has printed something, and then Ctrl-C is pressed.
void RunUntilStopped(const std::string& command_line) {
  ChildProcess process({"/bin/sh", "-c", "exec " + command_line});
  EXPECT_NE(process.ReadLine(), "");
  process.Signal(SIGINT);
  EXPECT_EQ(process.Wait(), 0);
}

TEST(HelpExamplesTest, EachCommandHasOneAtLeastThatRuns) {
  const std::vector<std::string> commands = Commands();
  EXPECT_THAT(commands, ::testing::Contains("stats"));
  EXPECT_THAT(commands, ::testing::Contains("doctor"));
  for (const std::string& command : commands) {
    const std::string help = Help(command);
    const std::vector<std::string> examples = ExamplesIn(help, command);
    EXPECT_FALSE(examples.empty()) << help;
    for (const std::string& example : examples) {
      SCOPED_TRACE(example);
      const Scene scene;
      // A command that goes on until somebody stops it says so.
      const bool has_count = absl::StrContains(help, "\n  --count=");
      if (!has_count && absl::StrContains(help, "Ctrl-C")) {
        RunUntilStopped(scene.CommandLine(example, ""));
        continue;
      }
      // In a shell of its own: the example may be a pipeline.
      const ToolResult result = RunTool(absl::StrCat(
          "(", scene.CommandLine(example, has_count ? " --count=1" : ""), ")"));
      EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
      EXPECT_NE(result.out, "");
      EXPECT_EQ(result.err, "");
    }
  }
}

}  // namespace
}  // namespace warmpool::testing
