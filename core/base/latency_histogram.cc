#include "core/base/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace warmpool {
namespace {

constexpr int kStepBits = 2;
static_assert(1 << kStepBits == LatencyHistogram::kStepsPerDoubling);

}  // namespace

uint64_t LatencyHistogram::Snapshot::count() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

uint64_t LatencyHistogram::UpperBoundNs(size_t bucket) {
  if (bucket >= kBuckets - 1) return UINT64_MAX;
  if (bucket == 0) return uint64_t{1} << kFirstBits;
  const size_t doubling = (bucket - 1) / kStepsPerDoubling;
  const size_t step = (bucket - 1) % kStepsPerDoubling + 1;
  return (kStepsPerDoubling + step) << (kFirstBits - kStepBits + doubling);
}

size_t LatencyHistogram::BucketOf(uint64_t ns) {
  if (ns <= uint64_t{1} << kFirstBits) return 0;
  if (ns > uint64_t{1} << kLastBits) return kBuckets - 1;
  // A bucket includes its upper bound.
  const uint64_t below = ns - 1;
  const int bits = std::bit_width(below) - 1;
  const uint64_t step = (below >> (bits - kStepBits)) & (kStepsPerDoubling - 1);
  return static_cast<size_t>(bits - kFirstBits) * kStepsPerDoubling + step + 1;
}

void LatencyHistogram::RecordNs(int64_t ns) {
  const auto elapsed = static_cast<uint64_t>(std::max<int64_t>(ns, 0));
  counts_[BucketOf(elapsed)].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(elapsed, std::memory_order_relaxed);
}

LatencyHistogram::Snapshot LatencyHistogram::Take() const {
  Snapshot snapshot;
  for (size_t i = 0; i < kBuckets; ++i) {
    snapshot.counts[i] = counts_[i].load(std::memory_order_relaxed);
  }
  snapshot.sum_ns = sum_ns_.load(std::memory_order_relaxed);
  return snapshot;
}

}  // namespace warmpool
