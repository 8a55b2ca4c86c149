#include <string>

#include "tests/bench/allocators/report.h"
#include "tests/bench/bar_chart.h"

namespace warmpool::bench {
namespace {

std::string TitleOf(const std::string& scenario) {
  if (scenario == "vm") {
    return "First use: 100 blocks allocated, then all freed";
  }
  if (scenario == "vm_warm") {
    return "10 blocks allocated, then all freed, again and again";
  }
  if (scenario == "cache_heavy") {
    return "10 live blocks, one replaced at a time";
  }
  if (scenario == "cold_churn") {
    return "Rounds of 100 blocks allocated, then all freed";
  }
  return "10 live blocks of 64 KiB to 64 MiB, one replaced at a time";
}

BarChart ChartOf(const Report& report) {
  BarChart chart;
  chart.title = "Time to allocate, write and free a block";
  chart.subtitle =
      "Shorter is better: median of the runs an operation, thin lines from the "
      "fastest to the slowest";
  chart.machine = report.machine();
  std::string scenario;
  for (const Row& row : report.rows()) {
    if (!row.failure().empty()) continue;
    if (chart.panels.empty() || scenario != row.scenario()) {
      scenario = row.scenario();
      chart.panels.push_back({TitleOf(scenario), {}});
    }
    chart.panels.back().bars.push_back(
        {.label = row.arm(),
         .median_us = row.median().nanoseconds() / 1e3,
         .fastest_us = row.fastest_nanoseconds() / 1e3,
         .slowest_us = row.slowest_nanoseconds() / 1e3,
         .is_ours = row.median().has_engine()});
  }
  return chart;
}

}  // namespace

absl::Status DrawChart(const Report& report, const std::string& svg_path) {
  return Draw(ChartOf(report), svg_path);
}

}  // namespace warmpool::bench
