// Ticker: a thread that calls a function when it is due, and sleeps otherwise.
//
// Thread-safe. The function is called under no lock.
#ifndef WARMPOOL_CLIENT_TICKER_H_
#define WARMPOOL_CLIENT_TICKER_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace warmpool {

class Ticker {
 public:
  // `tick` returns when to be called next; InfiniteFuture: not until CallBy.
  // `clock`, which must outlive this, runs as the kernel's does.
  Ticker(const Clock* clock, std::function<absl::Time()> tick);
  // Stops.
  ~Ticker();

  // Starts the thread, unless it runs or was stopped.
  void Start();
  // Sees that the function is called at `when`, or earlier; before Start, that
  // it will be.
  void CallBy(absl::Time when);

  // Waits for a call that is under way; there will be no other.
  void Stop();

 private:
  void ThreadMain();

  const Clock& clock_;
  const std::function<absl::Time()> tick_;

  Mutex mutex_;
  // Signalled when due_ becomes earlier, and to stop.
  CondVar changed_;
  absl::Time due_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Joined by Stop().
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TICKER_H_
