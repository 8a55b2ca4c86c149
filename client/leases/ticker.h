// Ticker: a thread that calls a function when it is due, and sleeps otherwise.
//
// Thread-safe. The function is called under no lock.
#ifndef WARMPOOL_CLIENT_LEASES_TICKER_H_
#define WARMPOOL_CLIENT_LEASES_TICKER_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

class Ticker {
 public:
  // `tick` returns when to be called next; InfiniteFuture: not until CallBy.
  // `clock`, which must outlive this, runs as the kernel's does.
  Ticker(const Clock* clock, std::function<absl::Time()> tick);
  // Stops.
  ~Ticker();

  // Gets the thread for Start. RESOURCE_EXHAUSTED, naming the limit: there is
  // none. Does nothing the second time.
  absl::Status Prepare();
  // Starts calling, unless it does so or was stopped. Aborts where it was not
  // prepared and no thread is left.
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
  bool prepared_ ABSL_GUARDED_BY(mutex_) = false;
  bool started_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Joined by Stop().
  Thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_TICKER_H_
