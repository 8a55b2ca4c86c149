// BarChart: measured times as horizontal bars, in panels below each other,
// drawn by gnuplot (Debian's gnuplot-nox) as SVG and as PNG.
#ifndef WARMPOOL_TESTS_BENCH_BAR_CHART_H_
#define WARMPOOL_TESTS_BENCH_BAR_CHART_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace warmpool::bench {

struct BarChart {
  struct Bar {
    std::string label;
    // Of the runs.
    double median_us = 0;
    double fastest_us = 0;
    double slowest_us = 0;
    // Warmpool's have a colour of their own.
    bool is_ours = false;
  };
  // Has a scale of its own.
  struct Panel {
    std::string title;
    std::vector<Bar> bars;
  };

  std::string title;
  std::string subtitle;
  std::string machine;
  std::vector<Panel> panels;
};

// Writes `svg_path`, and beside it a PNG. NOT_FOUND: there is no gnuplot.
absl::Status Draw(const BarChart& chart, const std::string& svg_path);

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_BAR_CHART_H_
