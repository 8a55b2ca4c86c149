#include "server/maintenance.h"

#include <utility>

namespace warmpool {

absl::Status Maintenance::Start(std::function<absl::Time()> tick) {
  return thread_.Start("wpd-maintain",
                       [this, tick = std::move(tick)] { Main(tick); });
}

void Maintenance::Poke() {
  {
    MutexLock lock(&mutex_);
    poked_ = true;
  }
  condition_.NotifyOne();
}

void Maintenance::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  condition_.NotifyOne();
  thread_.Join();
}

void Maintenance::Main(const std::function<absl::Time()>& tick) {
  for (;;) {
    const absl::Time next = tick();
    MutexLock lock(&mutex_);
    while (!poked_ && !stopping_) {
      const absl::Duration left = next - clock_.Now();
      if (left <= absl::ZeroDuration()) break;
      condition_.WaitFor(&mutex_, left);
    }
    if (stopping_) return;
    poked_ = false;
  }
}

}  // namespace warmpool
