// ChartReporter: prints what Google Benchmark measures of segments, as its own
// reporter does, and draws it.
#ifndef WARMPOOL_TESTS_BENCH_SEGMENTS_CHART_H_
#define WARMPOOL_TESTS_BENCH_SEGMENTS_CHART_H_

#include <benchmark/benchmark.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/bench/bar_chart.h"

namespace warmpool::bench {

// Knows benchmarks by their names, such as
// BM_Make/written/bytes:2097152/huge:1.
class ChartReporter : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override;

  // Writes `svg_path`, and beside it a PNG: what was reported so far, a panel
  // for each step and size. FAILED_PRECONDITION: nothing was.
  absl::Status Draw(const std::string& svg_path, const std::string& machine);

 private:
  // A step's place among the steps, and bytes.
  using PanelKey = std::pair<size_t, uint64_t>;
  // Whether its pages are of 2 MiB, and an arm's place among the arms.
  using BarKey = std::pair<bool, size_t>;

  // us.
  std::map<PanelKey, std::map<BarKey, std::vector<double>>> panels_;
};

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_SEGMENTS_CHART_H_
