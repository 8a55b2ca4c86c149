#include "server/maintenance.h"

#include <utility>

namespace warmpool {

void Maintenance::Start(std::function<absl::Time()> tick) {
  thread_ = std::thread([this, tick = std::move(tick)] { Main(tick); });
}

void Maintenance::Poke() {
  {
    MutexLock lock(&mutex_);
    poked_ = true;
  }
  condition_.NotifyOne();
}

void Maintenance::Stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  condition_.NotifyOne();
  thread_.join();
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
