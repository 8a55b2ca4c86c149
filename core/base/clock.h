// Clock: monotonic time as a dependency, so that tests advance it by hand.
//
// The absl::Time it gives counts from an arbitrary start (the boot, in
// MonotonicClock) and is only good for comparing with another of its kind:
// never print it as a date, never mix it with absl::Now(), which jumps.
#ifndef WARMPOOL_CORE_BASE_CLOCK_H_
#define WARMPOOL_CORE_BASE_CLOCK_H_

#include "absl/time/time.h"

namespace warmpool {

// Implementations are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// CLOCK_MONOTONIC of this machine.
class MonotonicClock final : public Clock {
 public:
  // Never destroyed.
  static const MonotonicClock& Get();
  absl::Time Now() const override;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_CLOCK_H_
