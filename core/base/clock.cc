#include "core/base/clock.h"

#include <time.h>

namespace warmpool {

const MonotonicClock& MonotonicClock::Get() {
  static const MonotonicClock* const clock = new MonotonicClock;
  return *clock;
}

absl::Time MonotonicClock::Now() const {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::TimeFromTimespec(now);
}

}  // namespace warmpool
