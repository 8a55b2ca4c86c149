// The load generator against a real daemon.
#include <signal.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/admin/admin_calls.h"
#include "client/load/report.pb.h"
#include "gmock/gmock-matchers.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/client/run_tool.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::HasSubstr;

load::LoadReport Parse(const std::string& json) {
  load::LoadReport report;
  const auto status =
      google::protobuf::util::JsonStringToMessage(json, &report);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << json;
  return report;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class LoadgenTest : public ::testing::Test {
 protected:
  void StartDaemon(const std::vector<std::string>& flags) {
    daemon_ = std::make_unique<DaemonProcess>(flags);
  }

  ToolResult Run(const std::string& flags) {
    return RunTool(absl::StrCat("client/loadgen --target=", daemon_->target(),
                                " ", flags));
  }

  // Starts a run that only a signal ends, and waits until it leases.
  std::unique_ptr<ChildProcess> StartEndless(const std::string& flag) {
    auto process = std::make_unique<ChildProcess>(std::vector<std::string>{
        "client/loadgen", "--target=" + daemon_->target(), "--clients=2",
        "--duration=10m", "--size=64KiB", "--json=" + json_path_, flag});
    EXPECT_TRUE(Eventually([this] { return Stats().granted_warm() > 50; }));
    return process;
  }

  v1::LeaseCounts Stats() {
    return AdminCalls::Open(daemon_->target()).value()->GetStats()->leases();
  }

  std::unique_ptr<DaemonProcess> daemon_;
  const std::string json_path_ = ::testing::TempDir() + "/report.json";
};

constexpr char kNothingDecays[] = "--bigcache_decay=inf";
constexpr char kNothingAges[] = "--batch_max_age=inf";

TEST_F(LoadgenTest, VmWithFourSlotsEvictsAllButFourInPairs) {
  StartDaemon(
      {"--bigcache_slots=4", "--stock_bytes=0", kNothingDecays, kNothingAges});
  const ToolResult result =
      Run("--scenario=vm --iterations=100 --size=2MiB "
          "--json=" +
          json_path_);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("evictions 96"));
  EXPECT_THAT(result.out, HasSubstr("blocks added 96, crossings 48"));

  const load::LoadReport report = Parse(ReadFile(json_path_));
  EXPECT_EQ(report.leases(), 100u);
  EXPECT_EQ(report.leases_fresh(), 100u);
  EXPECT_EQ(report.lease().count(), 100u);
  EXPECT_EQ(report.first_touch().count(), 100u);
  EXPECT_EQ(report.release().count(), 100u);
  EXPECT_GT(report.lease().p50_us(), 0);
  EXPECT_LE(report.lease().p50_us(), report.lease().max_us());
  const v1::GetStatsResponse& server = report.server();
  EXPECT_EQ(server.leases().granted_fresh(), 100u);
  EXPECT_EQ(server.leases().released(), 100u);
  EXPECT_EQ(server.bigcache().evictions(), 96u);
  EXPECT_EQ(server.bigcache().evicted_ring_full(), 96u);
  EXPECT_EQ(server.bigcache().retained_segments(), 4u);
  EXPECT_EQ(server.batch().blocks_added(), 96u);
  EXPECT_EQ(server.batch().bytes_added(), 96u * (2 << 20));
  EXPECT_EQ(server.batch().crossings(), 48u);
  EXPECT_EQ(report.failures_size(), 0);
}

TEST_F(LoadgenTest, VmThatFitsIntoTheCacheEvictsNothing) {
  StartDaemon({"--bigcache_slots=16", kNothingDecays, kNothingAges});
  const std::string flags =
      "--scenario=vm --iterations=10 --size=2MiB --json=-";
  load::LoadReport report = Parse(Run(flags).out);
  EXPECT_EQ(report.server().bigcache().evictions(), 0u);
  EXPECT_EQ(report.server().batch().blocks_added(), 0u);
  EXPECT_EQ(report.server().bigcache().retained_segments(), 10u);
  EXPECT_EQ(report.hit_ratio(), 0);
  // The counts of the first run are not in the report of the second.
  report = Parse(Run(flags).out);
  EXPECT_EQ(report.server().bigcache().hits(), 10u);
  EXPECT_EQ(report.server().leases().granted_fresh(), 0u);
  EXPECT_EQ(report.hit_ratio(), 1);
}

TEST_F(LoadgenTest, ClientsMayBeProcesses) {
  StartDaemon({});
  const ToolResult result =
      Run("--scenario=cold_churn --clients=3 --processes --live=5 "
          "--iterations=20 --size=64KiB --touch=all --json=-");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const load::LoadReport report = Parse(result.out);
  EXPECT_TRUE(report.settings().processes());
  EXPECT_EQ(report.leases(), 60u);
  EXPECT_EQ(report.first_touch().count(), 60u);
  EXPECT_EQ(report.release().count(), 60u);
  EXPECT_EQ(report.server().leases().released(), 60u);
  EXPECT_EQ(report.server().leases().holder_died(), 0u);
  EXPECT_EQ(report.failures_size(), 0);
}

TEST_F(LoadgenTest, ARateIsKept) {
  StartDaemon({});
  const load::LoadReport report =
      Parse(Run("--rate=50 --iterations=5 --clients=2 --size=64KiB "
                "--touch=none --json=-")
                .out);
  EXPECT_EQ(report.leases(), 10u);
  EXPECT_EQ(report.first_touch().count(), 0u);
  // 20 steps, 10 ms apart.
  EXPECT_GE(report.seconds(), 0.18);
}

TEST_F(LoadgenTest, LeasesRefusedForWantOfMemoryAreCountedAndNoError) {
  StartDaemon({"--capacity_bytes=8MiB"});
  const ToolResult result =
      Run("--scenario=vm --iterations=10 --size=2MiB --json=-");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  const load::LoadReport report = Parse(result.out);
  ASSERT_EQ(report.failures_size(), 1);
  EXPECT_EQ(report.failures(0).operation(), "lease");
  EXPECT_EQ(report.failures(0).code(), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(report.leases() + report.failures(0).count(), 10u);
  EXPECT_EQ(report.release().count(), report.leases());
}

TEST_F(LoadgenTest, ARunWithoutALeaseFails) {
  StartDaemon({"--max_buffer_bytes=1MiB"});
  const ToolResult result = Run("--iterations=3 --size=2MiB --json=-");
  EXPECT_EQ(result.exit_code, 1);
  const load::LoadReport report = Parse(result.out);
  ASSERT_EQ(report.failures_size(), 1);
  EXPECT_EQ(report.failures(0).code(), "INVALID_ARGUMENT");
  EXPECT_EQ(report.failures(0).count(), 3u);
}

class LoadgenEndTest : public LoadgenTest,
                       public ::testing::WithParamInterface<std::string> {};

TEST_P(LoadgenEndTest, ASignalEndsTheRunAndWhatWasMeasuredIsReported) {
  StartDaemon({});
  const std::unique_ptr<ChildProcess> loadgen = StartEndless(GetParam());
  loadgen->Signal(SIGINT);
  EXPECT_EQ(loadgen->Wait(), 0);
  const load::LoadReport report = Parse(ReadFile(json_path_));
  EXPECT_TRUE(report.interrupted());
  EXPECT_GE(report.leases(), 50u);
  EXPECT_EQ(report.server().leases().live_leases(), 0u);
  EXPECT_EQ(report.server().leases().holder_died(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Clients, LoadgenEndTest,
                         ::testing::Values("--noprocesses", "--processes"));

TEST_F(LoadgenTest, AKilledClientProcessIsToldAndTheOthersGoOn) {
  StartDaemon({});
  const std::unique_ptr<ChildProcess> loadgen = StartEndless("--processes");
  pid_t client = 0;
  std::ifstream(absl::StrCat("/proc/", loadgen->pid(), "/task/", loadgen->pid(),
                             "/children")) >>
      client;
  ASSERT_GT(client, 0);
  kill(client, SIGKILL);
  const uint64_t granted = Stats().granted_warm();
  EXPECT_TRUE(
      Eventually([&] { return Stats().granted_warm() > granted + 50; }));
  loadgen->Signal(SIGTERM);
  EXPECT_EQ(loadgen->Wait(), 1);
  const load::LoadReport report = Parse(ReadFile(json_path_));
  ASSERT_EQ(report.failures_size(), 1);
  EXPECT_EQ(report.failures(0).operation(), "process");
  EXPECT_THAT(report.failures(0).message(), HasSubstr("ended by signal 9"));
  EXPECT_GE(report.leases(), 50u);
}

TEST_F(LoadgenTest, ADaemonThatDiesIsTold) {
  StartDaemon({});
  const std::unique_ptr<ChildProcess> loadgen =
      StartEndless("--deadline=200ms");
  daemon_->Kill();
  loadgen->Signal(SIGTERM);
  EXPECT_EQ(loadgen->Wait(), 1);
  const load::LoadReport report = Parse(ReadFile(json_path_));
  EXPECT_FALSE(report.has_server());
  ASSERT_GE(report.failures_size(), 1);
  EXPECT_EQ(report.failures(report.failures_size() - 1).operation(), "stats");
}

TEST(LoadgenFlagsTest, MistakesAreToldWithTheirValue) {
  const ToolResult scenario = RunTool("client/loadgen --scenario=lukewarm");
  EXPECT_EQ(scenario.exit_code, 1);
  EXPECT_THAT(scenario.err, HasSubstr("\"lukewarm\" is none of cache_heavy, "
                                      "cold_churn, vm, mixed"));
  const ToolResult clients = RunTool("client/loadgen --clients=0");
  EXPECT_EQ(clients.exit_code, 1);
  EXPECT_THAT(clients.err, HasSubstr("--clients=0 is outside of 1 to 10000"));
  const ToolResult live = RunTool("client/loadgen --scenario=vm --live=3");
  EXPECT_EQ(live.exit_code, 1);
  EXPECT_THAT(live.err, HasSubstr("--live=3 is not for the scenario vm"));
  const ToolResult stray = RunTool("client/loadgen vm");
  EXPECT_EQ(stray.exit_code, 1);
  EXPECT_THAT(stray.err, HasSubstr("unexpected argument \"vm\""));
}

TEST(LoadgenFlagsTest, HelpTellsOfExitCodesAndFlags) {
  const ToolResult help = RunTool("client/loadgen --help");
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("Exit codes:"));
  EXPECT_THAT(help.out, HasSubstr("--scenario=cache_heavy"));
}

TEST(LoadgenFlagsTest, WithoutADaemonItSaysWhereNoneIs) {
  const ToolResult result = RunTool(
      "client/loadgen --target=unix:/tmp/warmpool-nobody --deadline=100ms");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("/tmp/warmpool-nobody"));
}

}  // namespace
}  // namespace warmpool::testing
