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
  if (scenario == "vm") return "first use: 100 blocks, once each way";
  if (scenario == "vm_warm") return "10 blocks, again and again";
  if (scenario == "cache_heavy") return "10 live, one replaced at a time";
  if (scenario == "cold_churn") return "100 allocated, then 100 freed";
  return "64 KiB to 64 MiB, 10 live";
}

std::string Label(double nanoseconds) {
  return nanoseconds >= 1e5 ? absl::StrFormat("%.0f us", nanoseconds / 1e3)
                            : absl::StrFormat("%.1f us", nanoseconds / 1e3);
}

// Horizontal bars, one arm a line, Warmpool's own in a colour of their own.
std::string PanelScript(const Panel& panel, int index) {
  double longest = 0;
  for (const Row* const row : panel.rows) {
    longest = std::max(longest, row->median().nanoseconds() / 1e3);
  }
  std::string data = absl::StrFormat("$data%d << EOD\n", index);
  std::string tics;
  const int count = static_cast<int>(panel.rows.size());
  for (int i = 0; i < count; ++i) {
    const Row& row = *panel.rows[i];
    const double microseconds = row.median().nanoseconds() / 1e3;
    const bool ours = row.median().has_engine();
    absl::StrAppendFormat(&data, "%f %d %d \"%s\"\n", microseconds,
                          count - 1 - i, ours ? 1 : 2,
                          Label(row.median().nanoseconds()));
    absl::StrAppendFormat(&tics, "%s\"%s\" %d", i == 0 ? "" : ", ",
                          absl::StrReplaceAll(row.arm(), {{"_", " "}}),
                          count - 1 - i);
  }
  return absl::StrCat(
      data, "EOD\n",
      absl::StrFormat("set title \"%s\\n{/*0.8 %s}\" font \",14\"\n",
                      absl::StrReplaceAll(panel.scenario, {{"_", " "}}),
                      TitleOf(panel.scenario)),
      absl::StrFormat("set xrange [0:%f]\nset yrange [-0.7:%f]\n",
                      longest * 1.25, count - 0.3),
      "set ytics (", tics, ")\n",
      absl::StrFormat(
          "plot $data%d using ($1/2):2:($1/2):(0.36):3 with boxxyerror "
          "lc variable fs solid 0.9 noborder notitle, "
          "$data%d using 1:2:4 with labels left offset 0.6,0 font \",11\" "
          "notitle\n",
          index, index));
}

std::string Script(const Report& report, const std::string& terminal,
                   const std::string& output) {
  const std::vector<Panel> panels = PanelsOf(report);
  const int columns = panels.size() > 1 ? 2 : 1;
  const int lines = (static_cast<int>(panels.size()) + columns - 1) / columns;
  std::string script = absl::StrCat(
      "set terminal ", terminal, " size ", 720 * columns, ",",
      std::max(1, lines) * 400 + 90, " font \"DejaVu Sans,12\"\n",
      "set output \"", output, "\"\n",
      "set multiplot layout ", lines, ",", columns,
      " margins 0.13,0.97,0.07,0.86 spacing 0.16,0.13"
      " title \"{/:Bold Time to allocate, write and free a block}\\n"
      "{/*0.75 microseconds an operation, median of the runs; shorter is "
      "better}\\n{/*0.6 ",
      absl::StrReplaceAll(report.machine(), {{"\"", ""}, {"_", " "}}),
      "}\" font \",18\"\n"
      "unset key\nset border 1\nset tics nomirror\nset ytics scale 0\n"
      "set grid xtics lc rgb \"#dddddd\"\n"
      "set linetype 1 lc rgb \"#d1495b\"\nset linetype 2 lc rgb \"#8d99ae\"\n");
  for (size_t i = 0; i < panels.size(); ++i) {
    absl::StrAppend(&script, PanelScript(panels[i], static_cast<int>(i)));
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
