// Demand: how far the number of segments in use has swung lately. A cache that
// keeps that many serves the next peak without making anything: tcmalloc's
// HugeCache sizes itself by the same measure, the dip of its demand
// (tcmalloc/huge_cache.h).
#ifndef WARMPOOL_CORE_ENGINE_DEMAND_H_
#define WARMPOOL_CORE_ENGINE_DEMAND_H_

#include <algorithm>
#include <cstddef>

#include "absl/time/time.h"

namespace warmpool {

// Externally synchronised.
class Demand {
 public:
  // Swings are seen over the last one to two windows.
  explicit Demand(absl::Duration window, absl::Time now)
      : window_(window), window_end_(now + window) {}

  void Acquired(absl::Time now) {
    Advance(now);
    ++in_use_;
    current_.high = std::max(current_.high, in_use_);
  }

  void Released(absl::Time now) {
    Advance(now);
    if (in_use_ > 0) --in_use_;
    current_.low = std::min(current_.low, in_use_);
  }

  // Most in use at once less fewest in use at once.
  size_t swing() const {
    return std::max(current_.high, previous_.high) -
           std::min(current_.low, previous_.low);
  }

  // Starts a window where the one before is over.
  void Advance(absl::Time now) {
    if (now < window_end_) return;
    const bool skipped = now >= window_end_ + window_;
    const Extremes standing{in_use_, in_use_};
    previous_ = skipped ? standing : current_;
    current_ = standing;
    window_end_ = now + window_;
  }

 private:
  struct Extremes {
    size_t low = 0;
    size_t high = 0;
  };

  absl::Duration window_;
  absl::Time window_end_;
  size_t in_use_ = 0;
  Extremes current_;
  Extremes previous_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_DEMAND_H_
