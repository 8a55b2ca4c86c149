// Latencies: durations, and what a share of them does not exceed.
// Not thread-safe.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_LATENCIES_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_LATENCIES_H_

#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace warmpool::torture {

class Latencies {
 public:
  void Add(absl::Duration latency) { latencies_.push_back(latency); }
  size_t size() const { return latencies_.size(); }

  // What `share` (0 to 1) of them do not exceed: always one of them. Zero if
  // there are none.
  absl::Duration Percentile(double share) const;

 private:
  std::vector<absl::Duration> latencies_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_LATENCIES_H_
