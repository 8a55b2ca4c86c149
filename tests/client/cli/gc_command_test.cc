// warmpool gc, the real tool, after a real daemon.
#include <signal.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "client/cli/output.pb.h"
#include "gmock/gmock-more-matchers.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/client/run_tool.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GcTest : public ::testing::Test {
 protected:
  ToolResult Gc(const std::string& flags) {
    return RunTool(absl::StrCat(
        "client/warmpool gc --shm_dir=", daemon_.shm_dir(), " ", flags));
  }

  cli::LeftoverReport Report() {
    const ToolResult result = Gc("--dry-run --json");
    EXPECT_EQ(result.exit_code, 0) << result.err;
    cli::LeftoverReport report;
    EXPECT_TRUE(
        google::protobuf::util::JsonStringToMessage(result.out, &report).ok())
        << result.out;
    return report;
  }

  std::vector<cli::LeftFile> Segments(const cli::LeftoverReport& report) {
    std::vector<cli::LeftFile> segments;
    for (const cli::LeftFile& file : report.files()) {
      if (file.kind() == "segment") segments.push_back(file);
    }
    return segments;
  }

  DaemonProcess daemon_{{"--stock_bytes=0"}};
};

TEST_F(GcTest, WhatAKilledDaemonLeftAndWhoMapsItIsTold) {
  ChildProcess holder({"client/warmpool", "lease", "2MiB", "--name=a",
                       "--target=" + daemon_.target()});
  EXPECT_THAT(holder.ReadLine(), HasSubstr("a"));
  daemon_.Kill();

  const cli::LeftoverReport held = Report();
  EXPECT_EQ(held.daemon(), "");
  ASSERT_EQ(Segments(held).size(), 1u);
  EXPECT_THAT(Segments(held)[0].mapped_by_pids(), ElementsAre(holder.pid()));
  EXPECT_GE(Segments(held)[0].bytes(), 2u << 20);
  ASSERT_EQ(held.processes_size(), 1);
  EXPECT_EQ(held.processes(0).command(), "warmpool");
  EXPECT_EQ(held.used_segments(), 1u);
  const ToolResult text = Gc("--dry-run");
  EXPECT_THAT(text.out, HasSubstr("no daemon has it"));
  EXPECT_THAT(text.out, HasSubstr("private/journal"));

  holder.Signal(SIGKILL);
  holder.Wait();
  const cli::LeftoverReport left = Report();
  ASSERT_EQ(Segments(left).size(), 1u);
  EXPECT_THAT(Segments(left)[0].mapped_by_pids(), IsEmpty());
  EXPECT_EQ(left.unused_segments(), 1u);
  // Nothing was removed: the next daemon does that.
  daemon_.Restart();
  EXPECT_TRUE(Eventually([this] { return daemon_.SegmentFiles().empty(); }));
}

TEST_F(GcTest, ALivingDaemonIsNamedAndNotDisturbed) {
  const cli::LeftoverReport report = Report();
  EXPECT_EQ(report.daemon(),
            absl::StrCat("pid ", daemon_.pid(), " (warmpoold, uid ", geteuid(),
                         "), serving ", daemon_.target()));
  EXPECT_EQ(
      RunTool("client/warmpool stats --target=" + daemon_.target()).exit_code,
      0);
}

TEST_F(GcTest, ADirectoryThatIsGoneLeavesNothing) {
  EXPECT_EQ(daemon_.Terminate(), 0);
  const cli::LeftoverReport report = Report();
  EXPECT_EQ(report.files_size(), 0);
  EXPECT_EQ(report.processes_size(), 0);
}

TEST_F(GcTest, ItWantsToBeToldThatItOnlyTells) {
  const ToolResult result = Gc("");
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--dry-run"));
  EXPECT_EQ(Gc("now --dry-run").exit_code, 2);
  EXPECT_EQ(Gc("--dry-run --shm_dir=/proc/version").exit_code, 1);
}

}  // namespace
}  // namespace warmpool::testing
