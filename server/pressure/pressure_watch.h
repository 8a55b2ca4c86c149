// PressureWatch: has the kernel tell when processes wait for memory (PSI:
// docs.kernel.org/accounting/psi.html), and sleeps otherwise.
#ifndef WARMPOOL_SERVER_PRESSURE_PRESSURE_WATCH_H_
#define WARMPOOL_SERVER_PRESSURE_PRESSURE_WATCH_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/thread.h"
#include "core/base/unique_fd.h"

namespace warmpool {

// Externally synchronised.
class PressureWatch {
 public:
  PressureWatch() = default;
  ~PressureWatch() { Stop(); }

  // Calls `on_pressure`, on a thread of its own, when processes of this
  // machine, or of the control groups that the other files are of, have waited
  // for memory for a tenth of two seconds; once in two seconds at most. One
  // file that can be watched is enough. Otherwise the error of the first:
  // NOT_FOUND or UNIMPLEMENTED: the kernel has none (or not on: psi=1).
  // PERMISSION_DENIED: not for this process. RESOURCE_EXHAUSTED: no thread is
  // left.
  absl::Status Start(const std::vector<std::string>& files,
                     std::function<void()> on_pressure);
  // No call is under way, or made, from here on. Does nothing the second time.
  void Stop();

 private:
  void Main(const std::function<void()>& on_pressure);

  std::vector<UniqueFd> watched_;
  UniqueFd stop_;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_PRESSURE_PRESSURE_WATCH_H_
