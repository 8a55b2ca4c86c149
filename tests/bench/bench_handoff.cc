// What it takes to hand bytes from one process to another, by size: through the
// pool, and as messages of gRPC, by turns in the same run of the load
// generator.
//
//   bazel-bin/tests/bench/bench_handoff --chart=/tmp/handoff.svg
//
// From the producer's last write until the consumer has the bytes in memory.
// The consumer checks 8 bytes of each 4 KiB; a byte that is not as written ends
// the benchmark. Sizes from 64 KiB to 256 MiB, each four times the one before.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/load/handoff/handoff_report.pb.h"
#include "client/load/handoff/via.h"
#include "core/base/byte_size.h"
#include "google/protobuf/util/json_util.h"
#include "tests/bench/allocators/counters.h"
#include "tests/bench/bar_chart.h"
#include "tests/bench/segments/machine.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"

ABSL_FLAG(warmpool::Vias, via, warmpool::AllVias(), "As the load generator's");
ABSL_FLAG(warmpool::ByteSize, min_size, {64 * warmpool::kKiB},
          "The smallest size");
ABSL_FLAG(warmpool::ByteSize, max_size, {256 * warmpool::kMiB},
          "No size is larger");
ABSL_FLAG(int, pairs, 1, "Pairs of processes");
ABSL_FLAG(
    absl::Duration, duration, absl::Seconds(10),
    "Of each run; three times as long from 64 MiB on, where a round of gRPC "
    "takes up to a second");
ABSL_FLAG(int, repetitions, 3, "Runs of each size");
ABSL_FLAG(std::string, chart, "",
          "File to draw the hand-over to, as SVG, and beside it as PNG");

namespace warmpool::bench {
namespace {

using testing::ChildProcess;
using testing::DaemonProcess;

// The runs of one size by their via, in the order in which they were told.
struct SizeRuns {
  uint64_t bytes = 0;
  std::vector<std::string> vias;
  std::map<std::string, std::vector<load::ViaReport>> runs;
};

absl::Duration DurationFor(uint64_t bytes) {
  return (bytes >= 64 * kMiB ? 3 : 1) * absl::GetFlag(FLAGS_duration);
}

load::HandoffReport RunOnce(const DaemonProcess& daemon, uint64_t bytes) {
  ChildProcess loadgen(
      {testing::Runfile("client/loadgen"), "--scenario=handoff",
       absl::StrCat("--target=", daemon.target()),
       absl::StrCat("--size=", AbslUnparseFlag(ByteSize{bytes})),
       absl::StrCat("--via=", AbslUnparseFlag(absl::GetFlag(FLAGS_via))),
       absl::StrCat("--pairs=", absl::GetFlag(FLAGS_pairs)),
       absl::StrCat("--duration=", absl::FormatDuration(DurationFor(bytes))),
       "--deadline=60s", "--json=-"});
  const std::string json = loadgen.ReadAll();
  load::HandoffReport report;
  const bool parsed =
      google::protobuf::util::JsonStringToMessage(json, &report).ok();
  if (loadgen.Wait() == 0 && parsed) return report;
  throw std::runtime_error(absl::StrCat("the load generator failed: ", json));
}

SizeRuns RunSize(const DaemonProcess& daemon, uint64_t bytes) {
  SizeRuns size;
  size.bytes = bytes;
  for (int i = 0; i < absl::GetFlag(FLAGS_repetitions); ++i) {
    const load::HandoffReport report = RunOnce(daemon, bytes);
    for (const load::ViaReport& via : report.vias()) {
      if (i == 0) size.vias.push_back(via.via());
      size.runs[via.via()].push_back(via);
    }
  }
  return size;
}

// One figure of all runs, sorted.
std::vector<double> Sorted(const std::vector<load::ViaReport>& runs,
                           double (*figure)(const load::ViaReport&)) {
  std::vector<double> figures;
  for (const load::ViaReport& run : runs) figures.push_back(figure(run));
  std::sort(figures.begin(), figures.end());
  return figures;
}

double Median(const std::vector<double>& sorted) {
  return sorted[sorted.size() / 2];
}

double HandOver(const load::ViaReport& run) { return run.hand_over().p50_us(); }
double HandOver99(const load::ViaReport& run) {
  return run.hand_over().p99_us();
}
double HandOverGain(const load::ViaReport& run) { return run.hand_over_gain(); }
double HandOverByRenew(const load::ViaReport& run) {
  return run.hand_over_by_renew();
}
double HandOverByMessage(const load::ViaReport& run) {
  return run.hand_over_by_message();
}
double Throughput(const load::ViaReport& run) { return run.gib_per_second(); }
double ThroughputGain(const load::ViaReport& run) {
  return run.throughput_gain();
}
double Rounds(const load::ViaReport& run) {
  return static_cast<double>(run.rounds());
}

void PrintHeader() {
  std::printf("%-8s %-16s %12s %12s %10s %10s %10s %8s %10s %8s\n", "size",
              "via", "p50 us", "p99 us", "/unary", "/renew", "/message",
              "GiB/s", "/unary", "rounds");
}

void PrintSize(const SizeRuns& size) {
  for (const std::string& via : size.vias) {
    const std::vector<load::ViaReport>& runs = size.runs.at(via);
    const auto median = [&runs](double (*figure)(const load::ViaReport&)) {
      return Median(Sorted(runs, figure));
    };
    std::printf(
        "%-8s %-16s %12.1f %12.1f %9.2fx %9.2fx %9.2fx %8.2f %9.2fx %8.0f\n",
        FormatByteSize(size.bytes).c_str(), via.c_str(), median(HandOver),
        median(HandOver99), median(HandOverGain), median(HandOverByRenew),
        median(HandOverByMessage), median(Throughput), median(ThroughputGain),
        median(Rounds));
  }
  std::fflush(stdout);
}

BarChart ChartOf(const std::vector<SizeRuns>& sizes) {
  BarChart chart;
  chart.title = "Time to hand bytes from one process to another";
  chart.subtitle =
      "Shorter is better: from the last write until the other has all bytes in "
      "memory; median and range of the runs' medians";
  chart.machine = DescribeMachine();
  for (const SizeRuns& size : sizes) {
    BarChart::Panel panel;
    panel.title = FormatByteSize(size.bytes);
    for (const std::string& via : size.vias) {
      const std::vector<double> us = Sorted(size.runs.at(via), HandOver);
      panel.bars.push_back({.label = via,
                            .median_us = Median(us),
                            .fastest_us = us.front(),
                            .slowest_us = us.back(),
                            .is_ours = via.find("warmpool") == 0});
    }
    chart.panels.push_back(std::move(panel));
  }
  return chart;
}

void Main() {
  PrintMachine();
  PrintHeader();
  const DaemonProcess daemon({}, testing::Runfile("server/warmpoold"));
  std::vector<SizeRuns> sizes;
  for (uint64_t bytes = absl::GetFlag(FLAGS_min_size).bytes;
       bytes <= absl::GetFlag(FLAGS_max_size).bytes; bytes *= 4) {
    sizes.push_back(RunSize(daemon, bytes));
    PrintSize(sizes.back());
  }
  const std::string path = absl::GetFlag(FLAGS_chart);
  if (path.empty()) return;
  const absl::Status drawn = Draw(ChartOf(sizes), path);
  if (!drawn.ok()) throw std::runtime_error(drawn.ToString());
}

}  // namespace
}  // namespace warmpool::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "What it takes to hand bytes from one process to another, by size.");
  absl::ParseCommandLine(argc, argv);
  try {
    warmpool::bench::Main();
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench_handoff: %s\n", failure.what());
    return 1;
  }
  return 0;
}
