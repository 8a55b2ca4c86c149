// Maintenance: a thread that calls Pool::Tick when something is due and sleeps
// otherwise, so that an idle daemon uses no CPU. Before something is due it
// looks at the clock a few times, to notice that the process was stopped
// meanwhile.
#ifndef WARMPOOL_SERVER_MAINTENANCE_H_
#define WARMPOOL_SERVER_MAINTENANCE_H_

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"
#include "server/pause_detector.h"

namespace warmpool {

// Thread-safe.
class Maintenance {
 public:
  struct Turn {
    // This process is known to have run until then.
    absl::Time now;
    // Nothing may be taken for overdue before; see PauseDetector.
    absl::Time grace_end;
  };

  explicit Maintenance(const Clock* clock) : clock_(*clock) {}
  ~Maintenance() { Stop(); }

  // Gets the thread for Start. RESOURCE_EXHAUSTED, naming the limit: there is
  // none.
  absl::Status Prepare() { return thread_.Prepare("wpd-maintain"); }
  // Calls `tick` when it is due: at once, and at each time it returns. Errors
  // as of Prepare.
  absl::Status Start(std::function<absl::Time(const Turn&)> tick);
  // Makes the next call at once.
  void Poke();
  // The same; `call` is called once that is done, by the thread.
  void CallSoon(std::function<void()> call);
  void Stop();

 private:
  void Main(const std::function<absl::Time(const Turn&)>& tick);
  // What CallSoon was given by now.
  std::vector<std::function<void()>> TakeCalls();
  // Sleeps until `due`, or Poke. False: Stop was called.
  bool AwaitTurn(absl::Time due, PauseDetector* pauses);

  const Clock& clock_;
  Mutex mutex_;
  CondVar condition_;
  bool poked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> calls_ ABSL_GUARDED_BY(mutex_);
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_MAINTENANCE_H_
