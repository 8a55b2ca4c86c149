// Medians, the table for a person, and the chart.
#ifndef WARMPOOL_TESTS_BENCH_ALLOCATORS_REPORT_H_
#define WARMPOOL_TESTS_BENCH_ALLOCATORS_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "tests/bench/allocators/result.pb.h"

namespace warmpool::bench {

// Fills a row's median and spread from its runs, of which there is at least
// one. The median run by time stands for the row's other figures too.
void Summarize(Row* row);

// A table for each scenario.
std::string FormatTables(const Report& report);

// Draws `svg_path` and a PNG of the same name with gnuplot. NOT_FOUND: there is
// no gnuplot; the message tells the package.
absl::Status DrawChart(const Report& report, const std::string& svg_path);

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_ALLOCATORS_REPORT_H_
