// warmpool doctor, the real tool, without a daemon and with one.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/output.pb.h"
#include "gmock/gmock-matchers.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/client/run_tool.h"
#include "tests/core/memory/scratch_directory.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

ToolResult Doctor(const std::string& flags) {
  return RunTool("client/warmpool doctor " + flags);
}

// By their names.
std::map<std::string, cli::DoctorCheck> ChecksIn(const std::string& json) {
  cli::DoctorReport report;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &report).ok())
      << json;
  std::map<std::string, cli::DoctorCheck> checks;
  for (const cli::DoctorCheck& check : report.checks()) {
    checks[check.name()] = check;
    EXPECT_EQ(check.remedy().empty(), check.verdict() == "ok") << json;
    EXPECT_FALSE(check.value().empty()) << json;
  }
  return checks;
}

// Names of which nothing is there.
class DoctorTest : public ::testing::Test {
 protected:
  std::string Flags() const {
    return absl::StrCat("--target=unix:", scratch_.path(),
                        "/socket --shm_dir=", scratch_.path(), "/shm ");
  }

  const ScratchDirectory scratch_;
};

TEST_F(DoctorTest, BeforeInstallationItNeedsNoDaemonAndLeavesNothing) {
  const ToolResult result = Doctor(Flags() + "--json --buffers=100");
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  const auto checks = ChecksIn(result.out);
  for (const std::string name :
       {"shm_dir", "filesystem", "shm_size", "files", "huge_pages", "proof",
        "memlock", "descriptors", "file_size", "mappings", "memory", "cgroup",
        "remove_ipc", "capabilities", "pid_namespace", "clock", "socket"}) {
    EXPECT_TRUE(checks.contains(name)) << name;
  }
  EXPECT_EQ(checks.size(), 17u) << result.out;
  EXPECT_EQ(checks.at("shm_dir").verdict(), "ok");
  EXPECT_THAT(checks.at("socket").value(), HasSubstr("will be made"));
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

TEST_F(DoctorTest, TheTableHasALineForEachCheckAndASummary) {
  const ToolResult result = Doctor(Flags());
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("filesystem"));
  EXPECT_THAT(result.out, HasSubstr("17 checks, "));
}

TEST_F(DoctorTest, WhatFailsIsTheExitCode) {
  const ToolResult result = Doctor(Flags() + "--shm_dir=/proc/warmpool --json");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("checks failed"));
  EXPECT_EQ(ChecksIn(result.out).at("filesystem").verdict(), "fail");
  EXPECT_EQ(Doctor(Flags() + "--capacity_bytes=1000T").exit_code, 1);
}

TEST_F(DoctorTest, APlanThatIsTooLargeIsToldBesideWhatIsThere) {
  const auto checks =
      ChecksIn(Doctor(Flags() + "--json --buffers=1000000000").out);
  EXPECT_EQ(checks.at("files").verdict(), "fail");
  EXPECT_EQ(checks.at("descriptors").verdict(), "warn");
  EXPECT_EQ(checks.at("mappings").verdict(), "warn");
}

TEST_F(DoctorTest, OfADaemonThatRunsItTellsMore) {
  const DaemonProcess daemon;
  const ToolResult result =
      Doctor(absl::StrCat("--json --target=", daemon.target()));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  const auto checks = ChecksIn(result.out);
  EXPECT_THAT(checks.at("daemon").value(),
              StartsWith(absl::StrCat("pid ", daemon.pid())));
  // Its directory, without --shm_dir.
  EXPECT_THAT(checks.at("shm_dir").value(), StartsWith(daemon.shm_dir()));
  EXPECT_EQ(checks.at("lease").verdict(), "ok");
  EXPECT_EQ(checks.at("pid_namespace").value(), "the daemon sees this process");
  const ToolResult listing =
      RunTool("client/warmpool list --json --target=" + daemon.target());
  EXPECT_THAT(listing.out, HasSubstr("\"buffers\": []"));
}

TEST_F(DoctorTest, WhoKeepsMemoryInQuarantineIsNamed) {
  DaemonProcess daemon;
  ChildProcess holder(
      {"client/warmpool", "lease", "2MiB", "--target=" + daemon.target()});
  holder.ReadLine();
  const std::vector<std::string> files = daemon.SegmentFiles();
  ASSERT_EQ(files.size(), 1u);
  // As a process that kept what it has released.
  const int fd = open(files[0].c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  holder.Signal(SIGKILL);
  holder.Wait();
  const std::string flags = absl::StrCat("--json --target=", daemon.target());
  cli::DoctorCheck check;
  EXPECT_TRUE(Eventually([&] {
    check = ChecksIn(Doctor(flags).out).at("quarantine");
    return check.processes_size() > 0;
  }));
  EXPECT_EQ(check.verdict(), "warn");
  EXPECT_THAT(check.value(), HasSubstr(absl::StrCat("pid ", getpid(), " (")));
  EXPECT_EQ(check.processes(0).pid(), getpid());
  EXPECT_EQ(check.processes(0).bytes(), 2u << 20);
  close(fd);
  EXPECT_TRUE(Eventually([&] {
    return ChecksIn(Doctor(flags).out).at("quarantine").verdict() == "ok";
  }));
}

TEST_F(DoctorTest, TheLimitsAreTheDaemons) {
  const DaemonProcess daemon({}, "server/warmpoold", /*max_descriptors=*/300);
  const auto checks =
      ChecksIn(Doctor(absl::StrCat("--json --target=", daemon.target())).out);
  EXPECT_THAT(checks.at("descriptors").value(), StartsWith("300 at most"));
  EXPECT_EQ(checks.at("descriptors").verdict(), "warn");
}

TEST_F(DoctorTest, ASocketThatADeadDaemonLeftIsTold) {
  DaemonProcess daemon;
  daemon.Kill();
  const auto checks =
      ChecksIn(Doctor(absl::StrCat("--json --target=", daemon.target(),
                                   " --shm_dir=", daemon.shm_dir()))
                   .out);
  EXPECT_EQ(checks.at("socket").verdict(), "warn");
  EXPECT_FALSE(checks.contains("daemon"));
}

TEST(DoctorUsageTest, AWrongCommandLineIsTold) {
  EXPECT_EQ(Doctor("now").exit_code, 2);
  EXPECT_EQ(Doctor("--target=tcp:1").exit_code, 2);
}

}  // namespace
}  // namespace warmpool::testing
