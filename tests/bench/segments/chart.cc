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
    {"BM_GiveBack/each", 2, "mapped, each", true},
    {"BM_GiveBack/batch", 2, "mapped, batched", true},
    {"BM_GiveBack/never_mapped", 2, "never mapped", true},
};

const Arm* ArmOf(const std::string& name) {
  const auto arm =
      std::find_if(std::begin(kArms), std::end(kArms),
                   [&name](const Arm& one) { return name == one.name; });
  return arm == std::end(kArms) ? nullptr : arm;
}

double Median(std::vector<double> sorted) { return sorted[sorted.size() / 2]; }

}  // namespace

void ChartReporter::ReportRuns(const std::vector<Run>& runs) {
  ConsoleReporter::ReportRuns(runs);
  for (const Run& run : runs) {
    unsigned long long bytes = 0;
    int huge = 0;
    const Arm* const arm = ArmOf(run.run_name.function_name);
    if (arm == nullptr || run.run_type != Run::RT_Iteration ||
        run.error_occurred ||
        std::sscanf(run.run_name.args.c_str(), "bytes:%llu/huge:%d", &bytes,
                    &huge) != 2) {
      continue;
    }
    const std::string label =
        absl::StrCat(arm->label, huge != 0 ? ", 2 MiB pages" : ", 4 KiB pages");
    auto& arms = panels_[{arm->step, bytes}];
    auto found = std::find_if(
        arms.begin(), arms.end(),
        [&label](const auto& one) { return one.first == label; });
    if (found == arms.end()) {
      found = arms.insert(arms.end(), {label, Times{arm->is_ours, {}}});
    }
    found->second.us.push_back(run.GetAdjustedRealTime());
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
      "Shorter is better: median of the runs, thin lines from the fastest to the "
      "slowest; attached, and made by hand: 8 bytes of each 4 KiB written";
  chart.machine = machine;
  for (auto& [key, arms] : panels_) {
    BarChart::Panel panel;
    panel.title = absl::StrCat(kSteps[key.first], ", ",
                               FormatByteSize(key.second));
    for (auto& [label, times] : arms) {
      std::sort(times.us.begin(), times.us.end());
      panel.bars.push_back({.label = label,
                            .median_us = Median(times.us),
                            .fastest_us = times.us.front(),
                            .slowest_us = times.us.back(),
                            .is_ours = times.is_ours});
    }
    chart.panels.push_back(std::move(panel));
  }
  return bench::Draw(chart, svg_path);
}

}  // namespace warmpool::bench
