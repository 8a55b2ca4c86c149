#include <stdio.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "tests/bench/allocators/report.h"

namespace warmpool::bench {
namespace {

struct Panel {
  std::string scenario;
  std::vector<const Row*> rows;
};

std::vector<Panel> PanelsOf(const Report& report) {
  std::vector<Panel> panels;
  for (const Row& row : report.rows()) {
    if (!row.failure().empty()) continue;
    if (panels.empty() || panels.back().scenario != row.scenario()) {
      panels.push_back({row.scenario(), {}});
    }
    panels.back().rows.push_back(&row);
  }
  return panels;
}

std::string TitleOf(const std::string& scenario) {
  if (scenario == "vm") return "First use: 100 blocks allocated, then all freed";
  if (scenario == "vm_warm") return "10 blocks allocated, then all freed, again and again";
  if (scenario == "cache_heavy") return "10 live blocks, one replaced at a time";
  if (scenario == "cold_churn") return "Rounds of 100 blocks allocated, then all freed";
  return "10 live blocks of 64 KiB to 64 MiB, one replaced at a time";
}

std::string Label(double nanoseconds) {
  return nanoseconds >= 1e5 ? absl::StrFormat("%.0f us", nanoseconds / 1e3)
                            : absl::StrFormat("%.1f us", nanoseconds / 1e3);
}

// What gnuplot's enhanced text would take for mark-up.
std::string Plain(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"_", " "}, {"\"", ""}, {"@", ""}});
}

// Pixels. Every bar is as high as every other, in whatever panel.
constexpr int kWidth = 1200;
constexpr int kHeaderHeight = 100;
constexpr int kTitleHeight = 44;
constexpr int kBarHeight = 24;
constexpr int kPanelGap = 24;
// Parts of the width where bars begin and end.
constexpr double kLeft = 0.22;
constexpr double kRight = 0.97;

int BarsHeight(const Panel& panel) {
  return static_cast<int>(panel.rows.size()) * kBarHeight;
}

int ChartHeight(const std::vector<Panel>& panels) {
  int height = kHeaderHeight;
  for (const Panel& panel : panels) {
    height += kTitleHeight + BarsHeight(panel) + kPanelGap;
  }
  return height;
}

// Horizontal bars, one arm a line, Warmpool's own in a colour of their own; a
// line over each bar's end from the fastest run to the slowest.
std::string PanelScript(const Panel& panel, int index, double top,
                        double bottom) {
  double longest = 0;
  for (const Row* const row : panel.rows) {
    longest = std::max(longest, row->median().nanoseconds() / 1e3);
  }
  std::string data = absl::StrFormat("$data%d << EOD\n", index);
  std::string tics;
  const int count = static_cast<int>(panel.rows.size());
  for (int i = 0; i < count; ++i) {
    const Row& row = *panel.rows[i];
    absl::StrAppendFormat(
        &data, "%f %d %d \"%s\" %f %f\n", row.median().nanoseconds() / 1e3,
        count - 1 - i, row.median().has_engine() ? 1 : 2,
        Label(row.median().nanoseconds()), row.fastest_nanoseconds() / 1e3,
        std::min(row.slowest_nanoseconds() / 1e3, longest * 1.1));
    absl::StrAppendFormat(&tics, "%s\"%s\" %d", i == 0 ? "" : ", ",
                          Plain(row.arm()), count - 1 - i);
  }
  // A bar's figure stands right of it, and of its line where that is longer.
  return absl::StrCat(
      data, "EOD\n",
      absl::StrFormat("set tmargin at screen %f\nset bmargin at screen %f\n",
                      top, bottom),
      absl::StrFormat("set label 1 \"{/:Bold %s}\" at screen %f,%f left front "
                      "font \",15\"\n",
                      TitleOf(panel.scenario), kLeft, top + (top - bottom) / count * 0.55),
      absl::StrFormat("set xrange [0:%f]\nset yrange [-0.5:%f]\n",
                      longest * 1.22, count - 0.5),
      "set ytics (", tics, ")\n",
      absl::StrFormat(
          "plot $data%1$d using ($1/2):2:($1/2):(0.34):3 with boxxyerror "
          "lc variable fs solid 1 noborder notitle, "
          "$data%1$d using 5:2:($6-$5):(0) with vectors nohead lw 1.5 "
          "lc rgb \"#333333\" notitle, "
          "$data%1$d using ($1 > $6 ? $1 : $6):2:4 with labels left "
          "offset 0.8,0 font \",12\" notitle\n",
          index));
}

std::string Script(const Report& report, const std::string& terminal,
                   const std::string& output) {
  const std::vector<Panel> panels = PanelsOf(report);
  const int height = ChartHeight(panels);
  const auto screen = [height](int from_top) {
    return 1.0 - static_cast<double>(from_top) / height;
  };
  std::string script = absl::StrCat(
      "set terminal ", terminal, " size ", kWidth, ",", height,
      " font \"DejaVu Sans,12\"\nset output \"", output, "\"\n",
      "set multiplot\nunset key\nset border 2\nunset xtics\n"
      "set ytics scale 0 nomirror\n",
      absl::StrFormat("set lmargin at screen %f\nset rmargin at screen %f\n",
                      kLeft, kRight),
      "set linetype 1 lc rgb \"#c8384f\"\nset linetype 2 lc rgb \"#9aa5b8\"\n",
      absl::StrFormat("set label 2 \"{/:Bold Time to allocate, write and free "
                      "a block}\" at screen 0.02,%f left font \",22\"\n",
                      screen(30)),
      absl::StrFormat("set label 3 \"Microseconds an operation, shorter is "
                      "better: median of the runs, thin lines from the fastest "
                      "to the slowest\" at screen 0.02,%f left font \",13\"\n",
                      screen(58)),
      absl::StrFormat("set label 4 \"%s\" at screen 0.02,%f left font \",10\" "
                      "tc rgb \"#666666\"\n",
                      Plain(report.machine()), screen(80)));
  int from_top = kHeaderHeight;
  for (size_t i = 0; i < panels.size(); ++i) {
    from_top += kTitleHeight;
    const int bottom = from_top + BarsHeight(panels[i]);
    absl::StrAppend(&script,
                    PanelScript(panels[i], static_cast<int>(i),
                                screen(from_top), screen(bottom)));
    // The header stands there once.
    if (i == 0) absl::StrAppend(&script, "unset label 2\nunset label 3\nunset label 4\n");
    from_top = bottom + kPanelGap;
  }
  return script + "unset multiplot\n";
}

absl::Status RunGnuplot(const std::string& script) {
  FILE* const gnuplot = popen("gnuplot", "w");
  if (gnuplot == nullptr) return absl::ErrnoToStatus(errno, "popen");
  fwrite(script.data(), 1, script.size(), gnuplot);
  if (pclose(gnuplot) == 0) return absl::OkStatus();
  return absl::NotFoundError(
      "gnuplot failed or is missing: apt-get install gnuplot-nox");
}

}  // namespace

absl::Status DrawChart(const Report& report, const std::string& svg_path) {
  const absl::Status drawn =
      RunGnuplot(Script(report, "svg enhanced background rgb 'white'", svg_path));
  if (!drawn.ok()) return drawn;
  const std::string png_path =
      absl::StrCat(absl::StripSuffix(svg_path, ".svg"), ".png");
  return RunGnuplot(Script(report, "pngcairo enhanced", png_path));
}

}  // namespace warmpool::bench
