// StopFlag: the Stopper of a real run.
#ifndef WARMPOOL_CLIENT_LOAD_STOP_FLAG_H_
#define WARMPOOL_CLIENT_LOAD_STOP_FLAG_H_

#include <atomic>

#include "absl/time/time.h"
#include "client/load/driver.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace warmpool {

// Shared by the clients of a process; thread-safe.
class StopFlag final : public Stopper {
 public:
  // `clock` must outlive this.
  explicit StopFlag(const Clock* clock) : clock_(*clock) {}

  void Stop();
  bool stopped() const override {
    return stopped_.load(std::memory_order_relaxed);
  }
  void SleepUntil(absl::Time time) override;

 private:
  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  // Written under mutex_, so that no sleeper misses it.
  std::atomic<bool> stopped_ = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_STOP_FLAG_H_
