// bench_allocators: what mapping, BigCache and Batch are worth, beside other
// allocators in the same run.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/byte_size.h"
#include "google/protobuf/util/json_util.h"
#include "tests/bench/allocators/allocator.h"
#include "tests/bench/allocators/arm.h"
#include "tests/bench/allocators/child.h"
#include "tests/bench/allocators/counters.h"
#include "tests/bench/allocators/engine_flags.h"
#include "tests/bench/allocators/report.h"
#include "tests/bench/allocators/scenario.h"

ABSL_FLAG(std::string, allocator, "all",
          "warmpool, malloc (glibc), jemalloc, mimalloc, tcmalloc, arms of "
          "these such as glibc_huge, separated by commas, or all");
ABSL_FLAG(bool, ablations, false,
          "Instead of other allocators, Warmpool with one thing changed each");
ABSL_FLAG(std::string, scenario, "all",
          "vm, vm_warm, cache_heavy, cold_churn, mixed, or all");
ABSL_FLAG(warmpool::ByteSize, size, {2 << 20}, "Size of a block");
ABSL_FLAG(uint64_t, iterations, 0,
          "Blocks of vm, replacements of cache_heavy and mixed; 0: 100, 4000, "
          "2000");
ABSL_FLAG(uint64_t, live, 0, "Blocks at once; 0: 100 in cold_churn, else 10");
ABSL_FLAG(uint64_t, rounds, 0,
          "Rounds of cold_churn and vm_warm; 0: 20 and 200");
ABSL_FLAG(uint64_t, repetitions, 5,
          "Runs of each arm; the arms take turns, each run in a process of its "
          "own");
ABSL_FLAG(std::string, touch, "pages",
          "pages: 8 bytes of each 4 KiB are written; none");
ABSL_FLAG(std::optional<bool>, sibling, std::nullopt,
          "A second thread of the process runs all the while, whose core takes "
          "part in TLB flushes; default: with --ablations");
ABSL_FLAG(absl::Duration, idle, absl::Milliseconds(1250),
          "Before resident memory is read again; Warmpool decays in 1 s");
ABSL_FLAG(std::string, json, "", "Write the report to this file");
ABSL_FLAG(std::string, chart, "",
          "Draw the report to this .svg file, and a .png beside it");
ABSL_FLAG(std::string, child_arm, "", "For the program's own use");

namespace warmpool::bench {
namespace {

// The flags whose values are words, checked before anything runs.
absl::Status CheckWords() {
  std::vector<std::string> scenarios = Scenarios();
  scenarios.push_back("all");
  absl::Status status =
      CheckWord("scenario", absl::GetFlag(FLAGS_scenario), scenarios);
  status.Update(
      CheckWord("touch", absl::GetFlag(FLAGS_touch), {"pages", "none"}));
  status.Update(CheckEngineFlags());
  return status;
}

ScenarioOptions OptionsOf(const std::string& scenario) {
  ScenarioOptions options;
  options.scenario = scenario;
  options.bytes = absl::GetFlag(FLAGS_size).bytes;
  options.iterations = absl::GetFlag(FLAGS_iterations);
  options.live = absl::GetFlag(FLAGS_live);
  options.rounds = absl::GetFlag(FLAGS_rounds);
  options.touch = absl::GetFlag(FLAGS_touch) != "none";
  options.sibling =
      absl::GetFlag(FLAGS_sibling).value_or(absl::GetFlag(FLAGS_ablations));
  options.idle = absl::GetFlag(FLAGS_idle);
  return options;
}

absl::Status RunAsChild(const std::string& arm_name) {
  const Arm* const arm = FindArm(arm_name);
  if (arm == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("no arm ", arm_name));
  }
  const absl::Status preloaded = CheckPreloaded(*arm);
  if (!preloaded.ok()) return preloaded;
  const absl::StatusOr<Result> result =
      RunScenario(OptionsOf(absl::GetFlag(FLAGS_scenario)), [arm] {
        return arm->configure ? MakeWarmpoolAllocator(EngineOptionsOf(*arm))
                              : MakeMallocAllocator();
      });
  if (!result.ok()) return result.status();
  WriteResult(*result);
  return absl::OkStatus();
}

// Runs all arms in turn, again and again; progress goes to standard error if
// that is a terminal.
absl::StatusOr<std::vector<Row>> RunArms(
    const std::vector<Arm>& arms, const std::string& scenario,
    const std::vector<std::string>& arguments) {
  std::vector<Row> rows(arms.size());
  const uint64_t repetitions = absl::GetFlag(FLAGS_repetitions);
  const bool progress = isatty(STDERR_FILENO) != 0;
  // In another order each time: what one arm leaves to the next (pages that a
  // hypervisor has not taken back yet) must not always favour the same.
  std::vector<size_t> order(arms.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937 random(1);
  for (uint64_t i = 0; i < repetitions; ++i) {
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t arm : order) {
      if (progress) {
        std::cerr << "\r\033[K" << scenario << " " << i + 1 << "/"
                  << repetitions << " " << arms[arm].name << std::flush;
      }
      std::vector<std::string> child = arguments;
      child.push_back(absl::StrCat("--scenario=", scenario));
      absl::StatusOr<Result> result = RunInChild(arms[arm], child);
      if (result.ok()) {
        *rows[arm].add_runs() = *std::move(result);
      } else {
        rows[arm].set_failure(std::string(result.status().message()));
      }
    }
  }
  if (progress) std::cerr << "\r\033[K";
  for (size_t arm = 0; arm < arms.size(); ++arm) {
    rows[arm].set_scenario(scenario);
    rows[arm].set_arm(arms[arm].name);
    if (rows[arm].failure().empty()) Summarize(&rows[arm]);
  }
  return rows;
}

absl::Status RunAll(const std::vector<std::string>& arguments) {
  const absl::Status words = CheckWords();
  if (!words.ok()) return words;
  const bool ablations = absl::GetFlag(FLAGS_ablations);
  const absl::StatusOr<std::vector<Arm>> arms =
      SelectArms(absl::GetFlag(FLAGS_allocator), ablations);
  if (!arms.ok()) return arms.status();
  std::vector<std::string> scenarios = {absl::GetFlag(FLAGS_scenario)};
  if (scenarios[0] == "all") scenarios = Scenarios();
  Report report;
  report.set_machine(DescribeMachine());
  report.set_command(
      absl::StrCat("bench_allocators ", absl::StrJoin(arguments, " ")));
  for (const std::string& scenario : scenarios) {
    const absl::StatusOr<std::vector<Row>> rows =
        RunArms(*arms, scenario, arguments);
    if (!rows.ok()) return rows.status();
    for (const Row& row : *rows) *report.add_rows() = row;
  }
  std::cout << FormatTables(report);
  if (const std::string path = absl::GetFlag(FLAGS_json); !path.empty()) {
    std::string json;
    google::protobuf::util::JsonPrintOptions print;
    print.add_whitespace = true;
    const auto printed =
        google::protobuf::util::MessageToJsonString(report, &json, print);
    if (!printed.ok() || !(std::ofstream(path) << json)) {
      return absl::UnavailableError(absl::StrCat("can't write ", path));
    }
  }
  if (const std::string path = absl::GetFlag(FLAGS_chart); !path.empty()) {
    return DrawChart(report, path);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace warmpool::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "Compares Warmpool's engine with other allocators, and with itself.\n\n"
      "  bench_allocators --scenario=cold_churn --chart=/tmp/churn.svg\n"
      "  bench_allocators --ablations --scenario=cold_churn\n\n"
      "System calls and TLB flushes are counted where the kernel lets us: as "
      "root, with tracefs mounted (mount -t tracefs nodev "
      "/sys/kernel/tracing).");
  absl::ParseCommandLine(argc, argv);
  const std::string child_arm = absl::GetFlag(FLAGS_child_arm);
  const absl::Status status =
      child_arm.empty() ? warmpool::bench::RunAll({argv + 1, argv + argc})
                        : warmpool::bench::RunAsChild(child_arm);
  if (status.ok()) return 0;
  std::fprintf(stderr, "bench_allocators: %s\n",
               std::string(status.message()).c_str());
  return 1;
}
