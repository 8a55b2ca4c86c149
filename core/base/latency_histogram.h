// LatencyHistogram: how long something took, each time since the start, in
// buckets of a quarter of a doubling. Recording is two additions without a
// lock, so it may stand on any path.
//
// Thread-safe. A snapshot taken while others record may miss what they are
// about to add; its count is that of its buckets.
#ifndef WARMPOOL_CORE_BASE_LATENCY_HISTOGRAM_H_
#define WARMPOOL_CORE_BASE_LATENCY_HISTOGRAM_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"

namespace warmpool {

class LatencyHistogram {
 public:
  // The first bucket has what took up to 2^10 ns, the last what took longer
  // than 2^34 ns (17 s).
  static constexpr int kFirstBits = 10;
  static constexpr int kLastBits = 34;
  static constexpr int kStepsPerDoubling = 4;
  static constexpr size_t kBuckets =
      size_t{kLastBits - kFirstBits} * kStepsPerDoubling + 2;

  struct Snapshot {
    std::array<uint64_t, kBuckets> counts{};
    uint64_t sum_ns = 0;

    uint64_t count() const;
  };

  // What a bucket's durations do not exceed, in nanoseconds; UINT64_MAX for the
  // last.
  static uint64_t UpperBoundNs(size_t bucket);

  // Negative durations count as zero.
  void Record(absl::Duration duration) {
    RecordNs(absl::ToInt64Nanoseconds(duration));
  }
  void RecordNs(int64_t ns);

  Snapshot Take() const;

 private:
  static size_t BucketOf(uint64_t ns);

  std::array<std::atomic<uint64_t>, kBuckets> counts_{};
  std::atomic<uint64_t> sum_ns_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_LATENCY_HISTOGRAM_H_
