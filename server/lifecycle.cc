#include "server/lifecycle.h"

namespace warmpool {
namespace {

// How often a draining daemon looks whether the last lease is gone.
constexpr absl::Duration kDrainPoll = absl::Milliseconds(10);

}  // namespace

bool Lifecycle::Advance(Phase to) {
  MutexLock lock(&mutex_);
  if (phase_ >= to) return false;
  phase_ = to;
  return true;
}

Lifecycle::Phase Lifecycle::phase() const {
  MutexLock lock(&mutex_);
  return phase_;
}

void Lifecycle::RequestStop() {
  {
    MutexLock lock(&mutex_);
    ++stop_requests_;
  }
  changed_.NotifyAll();
}

void Lifecycle::AwaitStopRequest() {
  MutexLock lock(&mutex_);
  while (stop_requests_ == 0) changed_.Wait(&mutex_);
}

void Lifecycle::AwaitDrained(absl::Duration timeout,
                             absl::FunctionRef<bool()> done) {
  const absl::Time deadline = clock_.Now() + timeout;
  while (clock_.Now() < deadline && !done()) {
    MutexLock lock(&mutex_);
    if (stop_requests_ > 1) return;
    changed_.WaitFor(&mutex_, kDrainPoll);
  }
}

}  // namespace warmpool
