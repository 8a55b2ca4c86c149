// ProgressBar: how far a run is, on a terminal.
#ifndef WARMPOOL_CLIENT_LOAD_PROGRESS_BAR_H_
#define WARMPOOL_CLIENT_LOAD_PROGRESS_BAR_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace warmpool {

// "[########............]  40 %  12,345 leases  3,086/s  6s left". Without the
// last part before there is anything to tell from.
// REQUIRES: 0 <= fraction <= 1.
std::string ProgressLine(double fraction, uint64_t done, absl::Duration elapsed,
                         absl::string_view what = "leases");

// Prints nothing where `fd` is not a terminal. Not thread-safe.
class ProgressBar {
 public:
  explicit ProgressBar(int fd);
  // Takes the line away.
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Show(const std::string& line);

 private:
  const int fd_;
  const bool is_terminal_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_PROGRESS_BAR_H_
