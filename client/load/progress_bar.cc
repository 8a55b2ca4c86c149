#include "client/load/progress_bar.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/tool/format.h"

namespace warmpool {
namespace {

constexpr int kWidth = 30;

// Back to the start of the line, and clear it to its end (ECMA-48).
constexpr char kStartOver[] = "\r\x1b[K";

}  // namespace

std::string ProgressLine(double fraction, uint64_t done, absl::Duration elapsed,
                         absl::string_view what) {
  const int filled = static_cast<int>(fraction * kWidth);
  std::string line = absl::StrFormat(
      "[%s%s] %3d %%  %s %s", std::string(filled, '#'),
      std::string(kWidth - filled, '.'), static_cast<int>(fraction * 100),
      FormatCount(done), what);
  if (fraction <= 0 || elapsed <= absl::ZeroDuration()) return line;
  const double per_second =
      static_cast<double>(done) / absl::ToDoubleSeconds(elapsed);
  const absl::Duration left = elapsed * ((1 - fraction) / fraction);
  absl::StrAppend(&line, "  ", FormatCount(static_cast<uint64_t>(per_second)),
                  "/s  ", FormatAge(absl::Ceil(left, absl::Seconds(1))),
                  " left");
  return line;
}

ProgressBar::ProgressBar(int fd) : fd_(fd), is_terminal_(isatty(fd) == 1) {}

ProgressBar::~ProgressBar() { Show(""); }

void ProgressBar::Show(const std::string& line) {
  if (!is_terminal_) return;
  const std::string text = absl::StrCat(kStartOver, line);
  // A terminal that is gone is no reason to end the run.
  (void)!write(fd_, text.data(), text.size());
}

}  // namespace warmpool
