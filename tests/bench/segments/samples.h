// Samples: what one arm of a benchmark took, and its quantiles.
#ifndef WARMPOOL_TESTS_BENCH_SEGMENTS_SAMPLES_H_
#define WARMPOOL_TESTS_BENCH_SEGMENTS_SAMPLES_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace warmpool::bench {

class Samples {
 public:
  void Add(absl::Duration taken) {
    microseconds_.push_back(absl::ToDoubleMicroseconds(taken));
  }
  size_t size() const { return microseconds_.size(); }
  // 0 without samples.
  double Quantile(double quantile) const {
    if (microseconds_.empty()) return 0;
    std::vector<double> sorted = microseconds_;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<size_t>(static_cast<double>(sorted.size() - 1) *
                                      quantile)];
  }
  double Median() const { return Quantile(0.5); }

 private:
  std::vector<double> microseconds_;
};

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_SEGMENTS_SAMPLES_H_
