#include "tests/bench/bar_chart.h"

#include <errno.h>
#include <stdio.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace warmpool::bench {
namespace {

using Bar = BarChart::Bar;
using Panel = BarChart::Panel;

std::string Label(double us) {
  if (us >= 1e5) return absl::StrFormat("%.0f ms", us / 1e3);
  if (us >= 1e4) return absl::StrFormat("%.1f ms", us / 1e3);
  return us >= 100 ? absl::StrFormat("%.0f us", us)
                   : absl::StrFormat("%.1f us", us);
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
  return static_cast<int>(panel.bars.size()) * kBarHeight;
}

int ChartHeight(const BarChart& chart) {
  int height = kHeaderHeight;
  for (const Panel& panel : chart.panels) {
    height += kTitleHeight + BarsHeight(panel) + kPanelGap;
  }
  return height;
}

// One bar a line; a line over each bar's end from the fastest run to the
// slowest.
std::string PanelScript(const Panel& panel, int index, double top,
                        double bottom) {
  double longest = 0;
  for (const Bar& bar : panel.bars) longest = std::max(longest, bar.median_us);
  std::string data = absl::StrFormat("$data%d << EOD\n", index);
  std::string tics;
  const int count = static_cast<int>(panel.bars.size());
  for (int i = 0; i < count; ++i) {
    const Bar& bar = panel.bars[i];
    absl::StrAppendFormat(&data, "%f %d %d \"%s\" %f %f\n", bar.median_us,
                          count - 1 - i, bar.is_ours ? 1 : 2,
                          Label(bar.median_us), bar.fastest_us,
                          std::min(bar.slowest_us, longest * 1.1));
    absl::StrAppendFormat(&tics, "%s\"%s\" %d", i == 0 ? "" : ", ",
                          Plain(bar.label), count - 1 - i);
  }
  // A bar's figure stands right of it, and of its line where that is longer.
  return absl::StrCat(
      data, "EOD\n",
      absl::StrFormat("set tmargin at screen %f\nset bmargin at screen %f\n",
                      top, bottom),
      absl::StrFormat("set label 1 \"{/:Bold %s}\" at screen %f,%f left front "
                      "font \",15\"\n",
                      Plain(panel.title), kLeft,
                      top + (top - bottom) / count * 0.55),
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

std::string Script(const BarChart& chart, const std::string& terminal,
                   const std::string& output) {
  const int height = ChartHeight(chart);
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
      absl::StrFormat("set label 2 \"{/:Bold %s}\" at screen 0.02,%f left font "
                      "\",22\"\n",
                      Plain(chart.title), screen(30)),
      absl::StrFormat(
          "set label 3 \"%s\" at screen 0.02,%f left font \",13\"\n",
          Plain(chart.subtitle), screen(58)),
      absl::StrFormat("set label 4 \"%s\" at screen 0.02,%f left font \",10\" "
                      "tc rgb \"#666666\"\n",
                      Plain(chart.machine), screen(80)));
  int from_top = kHeaderHeight;
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    from_top += kTitleHeight;
    const int bottom = from_top + BarsHeight(chart.panels[i]);
    absl::StrAppend(&script, PanelScript(chart.panels[i], static_cast<int>(i),
                                         screen(from_top), screen(bottom)));
    // The header stands there once.
    if (i == 0) {
      absl::StrAppend(&script, "unset label 2\nunset label 3\nunset label 4\n");
    }
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

absl::Status Draw(const BarChart& chart, const std::string& svg_path) {
  const absl::Status drawn = RunGnuplot(
      Script(chart, "svg enhanced background rgb 'white'", svg_path));
  if (!drawn.ok()) return drawn;
  const std::string png_path =
      absl::StrCat(absl::StripSuffix(svg_path, ".svg"), ".png");
  return RunGnuplot(Script(chart, "pngcairo enhanced", png_path));
}

}  // namespace warmpool::bench
