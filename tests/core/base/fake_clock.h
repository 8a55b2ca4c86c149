// FakeClock: time that passes only when a test says so.
#ifndef WARMPOOL_TESTS_CORE_BASE_FAKE_CLOCK_H_
#define WARMPOOL_TESTS_CORE_BASE_FAKE_CLOCK_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"
#include "core/base/clock.h"

namespace warmpool {

// Thread-safe.
class FakeClock final : public Clock {
 public:
  absl::Time Now() const override {
    return absl::FromUnixNanos(nanoseconds_.load());
  }

  void Advance(absl::Duration duration) {
    nanoseconds_.fetch_add(absl::ToInt64Nanoseconds(duration));
  }

 private:
  // Not 0, which code could take for "never".
  std::atomic<int64_t> nanoseconds_ = 1'000'000'000'000;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_BASE_FAKE_CLOCK_H_
