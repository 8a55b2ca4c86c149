// HardStop: ends the process if what it guards has not ended in time. A handler
// that never finishes would hold a gRPC server's shutdown for good (gRPC 1.51
// waits for it past any deadline). Ending is safe at every instant: the journal
// has what was granted.
#ifndef WARMPOOL_SERVER_TRANSPORT_HARD_STOP_H_
#define WARMPOOL_SERVER_TRANSPORT_HARD_STOP_H_

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

class HardStop {
 public:
  // Calls `stop`, which need not return, unless this is destroyed within
  // `limit`. `clock` must outlive this. `thread` may have been prepared; where
  // there is none to be had, `stop` is never called.
  HardStop(const Clock* clock, absl::Duration limit, std::function<void()> stop,
           Thread thread = Thread())
      : clock_(*clock),
        end_(clock->Now() + limit),
        stop_(std::move(stop)),
        thread_(std::move(thread)) {
    thread_.Start("wpd-hard-stop", [this] { Main(); }).IgnoreError();
  }

  ~HardStop() {
    {
      MutexLock lock(&mutex_);
      in_time_ = true;
    }
    condition_.NotifyOne();
    thread_.Join();
  }

 private:
  void Main() {
    {
      MutexLock lock(&mutex_);
      while (!in_time_ && clock_.Now() < end_) {
        condition_.WaitFor(&mutex_, end_ - clock_.Now());
      }
      if (in_time_) return;
    }
    stop_();
  }

  const Clock& clock_;
  const absl::Time end_;
  const std::function<void()> stop_;
  Mutex mutex_;
  CondVar condition_;
  bool in_time_ ABSL_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_HARD_STOP_H_
