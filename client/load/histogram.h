// Histogram: durations counted in buckets of at most 0.8 % of their value, so
// that a run of any length fits in 36 KiB and the histograms of many clients
// add up to that of all. (The layout of HdrHistogram, hdrhistogram.org.)
#ifndef WARMPOOL_CLIENT_LOAD_HISTOGRAM_H_
#define WARMPOOL_CLIENT_LOAD_HISTOGRAM_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/time/time.h"

namespace warmpool {

// Not thread-safe.
class Histogram {
 public:
  // Each doubling is cut into 2^kStepBits buckets of the same width.
  static constexpr int kStepBits = 7;
  // Up to 2^kRangeBits ns (18 minutes); what is longer is in the last bucket.
  static constexpr int kRangeBits = 40;
  static constexpr size_t kBuckets = size_t{kRangeBits - kStepBits + 1}
                                     << kStepBits;

  // What it consists of, to take it from one process to another.
  struct Parts {
    // By bucket; buckets at the end that counted nothing may be missing.
    std::vector<uint64_t> counts;
    int64_t min_ns = 0;
    int64_t max_ns = 0;
    double sum_ns = 0;
  };

  Histogram() : counts_(kBuckets, 0) {}
  // More counts than kBuckets are dropped.
  explicit Histogram(const Parts& parts);
  Parts ToParts() const;

  // Negative durations count as zero.
  void Record(absl::Duration duration);
  void Merge(const Histogram& other);

  uint64_t count() const { return count_; }
  // These are exact. Zero where nothing was recorded.
  absl::Duration min() const { return absl::Nanoseconds(min_ns_); }
  absl::Duration max() const { return absl::Nanoseconds(max_ns_); }
  absl::Duration Mean() const;

  // The least duration that at least the fraction `quantile` of those recorded
  // do not exceed, up to 0.8 % too high. 0.5 is the median.
  // REQUIRES: 0 <= quantile <= 1.
  absl::Duration Quantile(double quantile) const;

 private:
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  int64_t min_ns_ = 0;
  int64_t max_ns_ = 0;
  double sum_ns_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HISTOGRAM_H_
