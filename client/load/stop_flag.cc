#include "client/load/stop_flag.h"

#include <algorithm>

namespace warmpool {
namespace {

// A wait of the C++ library must not overflow; whoever sleeps looks again.
constexpr absl::Duration kLongestWait = absl::Hours(1);

}  // namespace

void StopFlag::Stop() {
  MutexLock lock(&mutex_);
  stopped_.store(true, std::memory_order_relaxed);
  changed_.NotifyAll();
}

void StopFlag::SleepUntil(absl::Time time) {
  MutexLock lock(&mutex_);
  while (!stopped()) {
    const absl::Duration wait = time - clock_.Now();
    if (wait <= absl::ZeroDuration()) return;
    changed_.WaitFor(&mutex_, std::min(wait, kLongestWait));
  }
}

}  // namespace warmpool
