// Lifecycle: how far a daemon is between its start and its end. It is the one
// place that knows whether the daemon stops or drains; the daemon tells the
// pool, the health service and the clients each time it changes.
//
// Thread-safe. The phase never goes back.
#ifndef WARMPOOL_SERVER_LIFECYCLE_H_
#define WARMPOOL_SERVER_LIFECYCLE_H_

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace warmpool {

class Lifecycle {
 public:
  // In the order in which a daemon goes through them; it may skip some.
  enum class Phase {
    kStarting,
    // Clients can connect.
    kServing,
    // On its way to its end. Leases are still granted.
    kStopping,
    // No lease is granted from here on.
    kDraining,
  };

  // `clock` must outlive this.
  explicit Lifecycle(const Clock* clock) : clock_(*clock) {}

  // False, and nothing changes: it has got there before.
  bool Advance(Phase to);
  Phase phase() const;

  // Ends AwaitStopRequest; the second call ends AwaitDrained, too.
  void RequestStop();
  void AwaitStopRequest();
  // Waits until `done`, for `timeout` at most. Calls `done` every 10 ms, under
  // no lock.
  void AwaitDrained(absl::Duration timeout, absl::FunctionRef<bool()> done);

 private:
  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar changed_;
  Phase phase_ ABSL_GUARDED_BY(mutex_) = Phase::kStarting;
  int stop_requests_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_LIFECYCLE_H_
