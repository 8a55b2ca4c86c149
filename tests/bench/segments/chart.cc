#include "tests/bench/segments/chart.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"

namespace warmpool::bench {
namespace {

constexpr const char* kSteps[] = {"Make", "Attach", "Give back"};

struct Arm {
  const char* name;
  size_t step;
  const char* label;
  bool is_ours;
};

constexpr Arm kArms[] = {
    {"BM_MakeByHand", 0, "by hand", false},
    {"BM_Make/reserved", 0, "reserved", true},
    {"BM_Make/written", 0, "cleared", true},
    {"BM_AttachByHand", 1, "by hand", false},
    {"BM_Attach/reserved", 1, "reserved", true},
    {"BM_Attach/written", 1, "cleared", true},
    {"BM_GiveBackByHand", 2, "by hand", false},
    {"BM_GiveBack/each", 2, "one by one", true},
    {"BM_GiveBack/batch", 2, "in a batch", true},
    {"BM_GiveBack/never_mapped", 2, "never mapped", true},
};

// Its place; the number of arms: there is none of that name.
size_t ArmOf(const std::string& name) {
  const auto arm =
      std::find_if(std::begin(kArms), std::end(kArms),
                   [&name](const Arm& one) { return name == one.name; });
  return arm - std::begin(kArms);
}

double Median(const std::vector<double>& sorted) {
  return sorted[sorted.size() / 2];
}

}  // namespace

void ChartReporter::ReportRuns(const std::vector<Run>& runs) {
  ConsoleReporter::ReportRuns(runs);
  for (const Run& run : runs) {
    unsigned long long bytes = 0;
    int huge = 0;
    const size_t arm = ArmOf(run.run_name.function_name);
    if (arm == std::size(kArms) || run.run_type != Run::RT_Iteration ||
        run.error_occurred ||
        std::sscanf(run.run_name.args.c_str(), "bytes:%llu/huge:%d", &bytes,
                    &huge) != 2) {
      continue;
    }
    panels_[{kArms[arm].step, bytes}][{huge != 0, arm}].push_back(
        run.GetAdjustedRealTime());
  }
}

absl::Status ChartReporter::Draw(const std::string& svg_path,
                                 const std::string& machine) {
  if (panels_.empty()) {
    return absl::FailedPreconditionError("nothing was measured to draw");
  }
  BarChart chart;
  chart.title = "Time to make, attach and give back a segment";
  chart.subtitle =
      "Shorter is better: median and range of the runs. Attaching and making "
      "by "
      "hand include 8 bytes written to each 4 KiB";
  chart.machine = machine;
  for (auto& [key, bars] : panels_) {
    BarChart::Panel panel;
    panel.title =
        absl::StrCat(kSteps[key.first], ", ", FormatByteSize(key.second));
    for (auto& [bar, us] : bars) {
      const auto& [huge, arm] = bar;
      std::sort(us.begin(), us.end());
      panel.bars.push_back(
          {.label = absl::StrCat(kArms[arm].label,
                                 huge ? ", 2 MiB pages" : ", 4 KiB pages"),
           .median_us = Median(us),
           .fastest_us = us.front(),
           .slowest_us = us.back(),
           .is_ours = kArms[arm].is_ours});
    }
    chart.panels.push_back(std::move(panel));
  }
  return bench::Draw(chart, svg_path);
}

}  // namespace warmpool::bench
