#include "tests/bench/allocators/report.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace warmpool::bench {
namespace {

std::string Optional(bool has, double value) {
  return has ? absl::StrFormat("%.2f", value) : "n/a";
}

double Mebibytes(int64_t bytes) {
  return static_cast<double>(bytes) / (1 << 20);
}

std::string FormatRow(const Row& row, double reference) {
  if (!row.failure().empty()) {
    return absl::StrFormat("  %-25s %s\n", row.arm(), row.failure());
  }
  const Result& median = row.median();
  return absl::StrFormat(
      "  %-25s %11.0f %5.2f %11.0f-%-11.0f %11.0f %10.0f %8.2f %8s %8s %8.0f "
      "%8.0f\n",
      row.arm(), median.nanoseconds(), median.nanoseconds() / reference,
      row.fastest_nanoseconds(), row.slowest_nanoseconds(),
      median.cpu_nanoseconds(), median.free_nanoseconds(), median.page_faults(),
      Optional(median.has_system_calls(), median.system_calls()),
      Optional(median.has_tlb_flushes(), median.tlb_flushes()),
      Mebibytes(median.peak_resident_bytes()),
      Mebibytes(median.idle_resident_bytes()));
}

}  // namespace

void Summarize(Row* row) {
  std::vector<const Result*> by_time;
  for (const Result& run : row->runs()) by_time.push_back(&run);
  std::sort(by_time.begin(), by_time.end(),
            [](const Result* a, const Result* b) {
              return a->nanoseconds() < b->nanoseconds();
            });
  *row->mutable_median() = *by_time[by_time.size() / 2];
  row->set_fastest_nanoseconds(by_time.front()->nanoseconds());
  row->set_slowest_nanoseconds(by_time.back()->nanoseconds());
}

std::string FormatTables(const Report& report) {
  std::string text = absl::StrCat("machine: ", report.machine(),
                                  "\ncommand: ", report.command(), "\n");
  std::string scenario;
  double reference = 1;
  for (const Row& row : report.rows()) {
    if (row.scenario() != scenario) {
      scenario = row.scenario();
      // Ratios are to the first arm.
      reference = row.failure().empty() ? row.median().nanoseconds() : 1;
      absl::StrAppendFormat(
          &text, "\n%s\n  %-25s %11s %5s %23s %11s %10s %8s %8s %8s %8s %8s\n",
          scenario, "", "ns/op", "ratio", "fastest-slowest", "cpu ns",
          "free ns", "faults", "syscalls", "tlb", "peak MiB", "idle MiB");
    }
    absl::StrAppend(&text, FormatRow(row, reference));
  }
  return text;
}

}  // namespace warmpool::bench
