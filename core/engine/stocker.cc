#include "core/engine/stocker.h"

#include <utility>

namespace warmpool {

absl::Status Stocker::Start(Make make) {
  return thread_.Start("wp-stock",
                       [this, make = std::move(make)] { Main(make); });
}

void Stocker::Wake() {
  {
    MutexLock lock(&mutex_);
    if (std::exchange(woken_, true)) return;
  }
  condition_.NotifyOne();
}

void Stocker::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  condition_.NotifyOne();
  thread_.Join();
}

bool Stocker::Stopping() {
  MutexLock lock(&mutex_);
  return stopping_;
}

void Stocker::Main(const Make& make) {
  IdleThread idle;
  const auto run_step = [&](absl::FunctionRef<void()> step) {
    if (Stopping()) return false;
    idle.Run(step);
    return true;
  };
  for (;;) {
    {
      MutexLock lock(&mutex_);
      // Whatever wakes it from here on is for the next round.
      woken_ = false;
      if (stopping_) return;
    }
    if (!make(run_step)) AwaitWake();
  }
}

void Stocker::AwaitWake() {
  MutexLock lock(&mutex_);
  while (!woken_ && !stopping_) condition_.Wait(&mutex_);
  // Only Stop cuts it short: Wake does not notify a second time.
  if (!stopping_) condition_.WaitFor(&mutex_, kRest);
}

}  // namespace warmpool
