#include "server/service/watchdog.h"

namespace warmpool {

Watchdog::~Watchdog() {
  {
    MutexLock lock(&state_->mutex);
    state_->stopping = true;
  }
  state_->condition.NotifyAll();
  thread_.Join();
}

void Watchdog::Main() {
  State& state = *state_;
  for (;;) {
    {
      MutexLock lock(&state.mutex);
      state.unanswered = options_.probes.size();
    }
    for (const Probe& probe : options_.probes) {
      probe([shared = state_] {
        {
          MutexLock lock(&shared->mutex);
          --shared->unanswered;
        }
        shared->condition.NotifyAll();
      });
    }
    {
      // No further probe is sent to one who has not answered the last.
      MutexLock lock(&state.mutex);
      while (!state.stopping && state.unanswered > 0) {
        state.condition.Wait(&state.mutex);
      }
      if (state.stopping) return;
    }
    options_.on_alive();
    MutexLock lock(&state.mutex);
    if (!state.stopping) {
      state.condition.WaitFor(&state.mutex, options_.period);
    }
    if (state.stopping) return;
  }
}

}  // namespace warmpool
