#include "server/maintenance.h"

#include <algorithm>
#include <utility>

namespace warmpool {
namespace {

// std::condition_variable overflows on waits without end.
constexpr absl::Duration kLongestWait = absl::Hours(1);

}  // namespace

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
      condition_.WaitFor(&mutex_, std::min(left, kLongestWait));
    }
    if (stopping_) return;
    poked_ = false;
  }
}

}  // namespace warmpool
