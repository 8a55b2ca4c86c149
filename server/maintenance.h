// Maintenance: a thread that calls Pool::Tick when something is due and sleeps
// otherwise, so that an idle daemon uses no CPU.
#ifndef WARMPOOL_SERVER_MAINTENANCE_H_
#define WARMPOOL_SERVER_MAINTENANCE_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

// Thread-safe.
class Maintenance {
 public:
  explicit Maintenance(const Clock* clock) : clock_(*clock) {}
  ~Maintenance() { Stop(); }

  // Gets the thread for Start. RESOURCE_EXHAUSTED, naming the limit: there is
  // none.
  absl::Status Prepare() { return thread_.Prepare("wpd-maintain"); }
  // Calls `tick` when it is due: at once, and at each time it returns. Errors
  // as of Prepare.
  absl::Status Start(std::function<absl::Time()> tick);
  // Makes the next call at once.
  void Poke();
  void Stop();

 private:
  void Main(const std::function<absl::Time()>& tick);

  const Clock& clock_;
  Mutex mutex_;
  CondVar condition_;
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_MAINTENANCE_H_
