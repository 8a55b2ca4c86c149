// Watchdog: tells the service manager that the daemon lives, for as long as
// each of the threads on which everything depends proves that it makes
// progress. A thread that is stuck ends that, and the manager starts another
// daemon, which takes up all leases.
//
// Thread-safe.
#ifndef WARMPOOL_SERVER_SERVICE_WATCHDOG_H_
#define WARMPOOL_SERVER_SERVICE_WATCHDOG_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

class Watchdog {
 public:
  // Has `alive` called once, soon, by the thread in question; does not wait for
  // it. `alive` may be called when the watchdog has gone.
  using Probe = std::function<void(std::function<void()> alive)>;

  struct Options {
    // Between two proofs.
    absl::Duration period;
    std::vector<Probe> probes;
    // Called when all probes have been answered.
    std::function<void()> on_alive;
  };

  explicit Watchdog(Options options) : options_(std::move(options)) {}
  // Waits for no probe.
  ~Watchdog();

  // Gets the thread. RESOURCE_EXHAUSTED, naming the limit: there is none.
  absl::Status Prepare() { return thread_.Prepare("wpd-watchdog"); }
  // Begins. REQUIRES: Prepare.
  void Start() {
    thread_.Run([this] { Main(); });
  }

 private:
  struct State {
    Mutex mutex;
    CondVar condition;
    size_t unanswered ABSL_GUARDED_BY(mutex) = 0;
    bool stopping ABSL_GUARDED_BY(mutex) = false;
  };

  void Main();

  const Options options_;
  // Shared with probes that are still out.
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SERVICE_WATCHDOG_H_
