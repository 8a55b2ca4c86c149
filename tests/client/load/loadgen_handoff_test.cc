// The load generator's scenario handoff, with real processes.
#include <signal.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/load/handoff/handoff_report.pb.h"
#include "gmock/gmock-more-matchers.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "tests/client/run_tool.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kLoadgen[] = "client/loadgen --scenario=handoff ";

load::HandoffReport Parse(const std::string& json) {
  load::HandoffReport report;
  const auto status =
      google::protobuf::util::JsonStringToMessage(json, &report);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << json;
  return report;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Of the main thread.
uint64_t TimesWaited(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  uint64_t count = 0;
  while (file >> word) {
    if (word == "voluntary_ctxt_switches:") file >> count;
  }
  return count;
}

// A run that only a signal, or a death, ends; by when its rounds are under way.
class EndlessRun {
 public:
  explicit EndlessRun(const std::vector<std::string>& flags)
      : loadgen_(Command(flags)) {
    // The first child is the consumer, the second its producer, which waits for
    // an answer every round; what comes before takes fewer.
    EXPECT_TRUE(Eventually([this] {
      std::ifstream(absl::StrCat("/proc/", loadgen_.pid(), "/task/",
                                 loadgen_.pid(), "/children")) >>
          consumer_ >> producer_;
      return producer_ > 0 && TimesWaited(producer_) > 300;
    }));
  }

  ChildProcess& loadgen() { return loadgen_; }
  pid_t consumer() const { return consumer_; }
  pid_t producer() const { return producer_; }
  load::HandoffReport Report() const {
    return Parse(ReadFile(::testing::TempDir() + "/report.json"));
  }

 private:
  static std::vector<std::string> Command(
      const std::vector<std::string>& flags) {
    std::vector<std::string> command = {
        "client/loadgen", "--scenario=handoff", "--size=64KiB",
        "--duration=10m", "--json=" + ::testing::TempDir() + "/report.json"};
    command.insert(command.end(), flags.begin(), flags.end());
    return command;
  }

  ChildProcess loadgen_;
  pid_t consumer_ = 0;
  pid_t producer_ = 0;
};

void ExpectWhole(const load::ViaReport& via, uint64_t rounds) {
  EXPECT_EQ(via.rounds(), rounds);
  EXPECT_EQ(via.hand_over().count(), rounds);
  EXPECT_GT(via.hand_over().min_us(), 0);
  EXPECT_GT(via.message().min_us(), 0);
  EXPECT_EQ(via.read().count(), rounds);
  EXPECT_GT(via.gib_per_second(), 0);
  EXPECT_GE(via.trip().min_us(), via.hand_over().min_us());
}

class LoadgenHandoffTest : public ::testing::TestWithParam<std::string> {};

TEST_P(LoadgenHandoffTest, EveryRoundOfEveryPairArrivesWhole) {
  const DaemonProcess daemon;
  // Not a whole number of the stream's messages.
  const ToolResult result = RunTool(absl::StrCat(
      kLoadgen, "--target=", daemon.target(), " --via=", GetParam(),
      " --pairs=2 --iterations=10 --size=1028KiB --json=-"));
  EXPECT_EQ(result.exit_code, 0) << result.err << result.out;
  const load::HandoffReport report = Parse(result.out);
  EXPECT_THAT(report.failures(), IsEmpty());
  ASSERT_EQ(report.vias_size(), 1);
  EXPECT_EQ(report.vias(0).via(), GetParam());
  ExpectWhole(report.vias(0), 20);
}

TEST_P(LoadgenHandoffTest, ASpoiledByteFailsTheRun) {
  const DaemonProcess daemon;
  const ToolResult result = RunTool(absl::StrCat(
      kLoadgen, "--target=", daemon.target(), " --via=", GetParam(),
      " --iterations=10 --size=64KiB --spoil_round=3"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              HasSubstr(absl::StrCat(
                  "failed: producer 0: DATA_LOSS: ", GetParam(),
                  ", round 3: 1 of 16 pages of round 3 are not as written, "
                  "first page 0")));
}

TEST_P(LoadgenHandoffTest, AConsumerThatDiesEndsTheRun) {
  const DaemonProcess daemon;
  EndlessRun run({"--target=" + daemon.target(), "--via=" + GetParam()});
  kill(run.consumer(), SIGKILL);
  EXPECT_EQ(run.loadgen().Wait(), 1);
  const load::HandoffReport report = run.Report();
  EXPECT_THAT(
      report.failures(),
      Contains(HasSubstr(absl::StrCat("consumer 0: process ", run.consumer(),
                                      " was ended by signal 9"))));
  // What was measured until then is told.
  ASSERT_EQ(report.vias_size(), 1);
  EXPECT_GT(report.vias(0).rounds(), 0u);
}

TEST_P(LoadgenHandoffTest, AProducerThatDiesEndsTheRun) {
  const DaemonProcess daemon;
  EndlessRun run({"--target=" + daemon.target(), "--via=" + GetParam()});
  kill(run.producer(), SIGKILL);
  EXPECT_EQ(run.loadgen().Wait(), 1);
  EXPECT_THAT(run.Report().failures(),
              ElementsAre(HasSubstr("producer 0: process ")));
}

INSTANTIATE_TEST_SUITE_P(Vias, LoadgenHandoffTest,
                         ::testing::Values("warmpool", "warmpool_ticket",
                                           "warmpool_channel", "grpc_unary",
                                           "grpc_stream"));

TEST(LoadgenHandoffRunTest, OneRunComparesAll) {
  const DaemonProcess daemon;
  const std::string flags = absl::StrCat(kLoadgen, "--target=", daemon.target(),
                                         " --duration=400ms --size=64KiB");
  const ToolResult text = RunTool(flags);
  EXPECT_EQ(text.exit_code, 0) << text.err << text.out;
  EXPECT_THAT(text.out, HasSubstr("handoff: 1 pair, 64 KiB"));
  const load::HandoffReport report = Parse(RunTool(flags + " --json=-").out);
  ASSERT_EQ(report.vias_size(), 5);
  for (const load::ViaReport& via : report.vias()) {
    EXPECT_THAT(text.out, HasSubstr(via.via()));
    EXPECT_GT(via.hand_over_gain(), 0);
    EXPECT_GT(via.hand_over_by_renew(), 0);
  }
}

TEST(LoadgenHandoffRunTest, ASignalEndsTheRunAndWhatWasMeasuredIsReported) {
  EndlessRun run({"--via=grpc_unary"});
  run.loadgen().Signal(SIGINT);
  EXPECT_EQ(run.loadgen().Wait(), 0);
  const load::HandoffReport report = run.Report();
  EXPECT_TRUE(report.interrupted());
  EXPECT_THAT(report.failures(), IsEmpty());
  EXPECT_GT(report.vias(0).rounds(), 50u);
}

TEST(LoadgenHandoffFlagsTest, MistakesAreToldWithTheirValue) {
  const auto told = [](const std::string& flags) {
    const ToolResult result = RunTool(kLoadgen + flags);
    EXPECT_EQ(result.exit_code, 1);
    return result.err;
  };
  EXPECT_THAT(told("--pairs=0"), HasSubstr("--pairs=0 is outside of 1 to"));
  EXPECT_THAT(told("--via=pigeon"), HasSubstr("\"pigeon\" is none of all"));
  EXPECT_THAT(told("--size=5000"),
              HasSubstr("--size=5000 is not a whole number of pages"));
  EXPECT_THAT(told("--clients=2"),
              HasSubstr("--clients is not for the scenario handoff"));
  EXPECT_THAT(told("--live=2"),
              HasSubstr("--live=2 is not for the scenario handoff"));
  EXPECT_THAT(told("--scenario=vm --pairs=2"),
              HasSubstr("--pairs is for the scenario handoff only"));
}

TEST(LoadgenHandoffFlagsTest, HelpTellsOfIt) {
  const ToolResult help = RunTool("client/loadgen --help");
  EXPECT_THAT(help.out, HasSubstr("--pairs"));
  EXPECT_THAT(help.out, HasSubstr("--via"));
  EXPECT_THAT(help.out, HasSubstr("--scenario=handoff"));
}

TEST(LoadgenHandoffFlagsTest, WithoutADaemonItSaysWhereNoneIs) {
  const ToolResult result = RunTool(absl::StrCat(
      kLoadgen,
      "--target=unix:/tmp/warmpool-nobody --deadline=100ms --via=warmpool"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("/tmp/warmpool-nobody"));
}

}  // namespace
}  // namespace warmpool::testing
