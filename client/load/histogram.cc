#include "client/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace warmpool {
namespace {

constexpr int kStepBits = Histogram::kStepBits;
constexpr uint64_t kSteps = uint64_t{1} << kStepBits;

// Values below 2 * kSteps have a bucket each. Above, the position of the top
// bit chooses a group of kSteps buckets, and the kStepBits bits after it the
// bucket within.
size_t BucketOf(uint64_t ns) {
  if (ns < kSteps) return ns;
  const int group = std::bit_width(ns) - 1 - kStepBits;
  const size_t bucket = (static_cast<size_t>(group) << kStepBits) +
                        static_cast<size_t>(ns >> group);
  return std::min(bucket, Histogram::kBuckets - 1);
}

// The largest value in a bucket.
int64_t LastOf(size_t bucket) {
  if (bucket < 2 * kSteps) return static_cast<int64_t>(bucket);
  const int group = static_cast<int>(bucket >> kStepBits) - 1;
  const uint64_t step = (bucket & (kSteps - 1)) + kSteps;
  return static_cast<int64_t>(((step + 1) << group) - 1);
}

}  // namespace

Histogram::Histogram(const Parts& parts)
    : counts_(parts.counts),
      min_ns_(parts.min_ns),
      max_ns_(parts.max_ns),
      sum_ns_(parts.sum_ns) {
  counts_.resize(kBuckets, 0);
  for (const uint64_t count : counts_) count_ += count;
}

Histogram::Parts Histogram::ToParts() const {
  Parts parts{.counts = counts_,
              .min_ns = min_ns_,
              .max_ns = max_ns_,
              .sum_ns = sum_ns_};
  while (!parts.counts.empty() && parts.counts.back() == 0) {
    parts.counts.pop_back();
  }
  return parts;
}

void Histogram::Record(absl::Duration duration) {
  const int64_t ns = std::max<int64_t>(absl::ToInt64Nanoseconds(duration), 0);
  min_ns_ = count_ == 0 ? ns : std::min(min_ns_, ns);
  max_ns_ = std::max(max_ns_, ns);
  sum_ns_ += static_cast<double>(ns);
  ++count_;
  ++counts_[BucketOf(static_cast<uint64_t>(ns))];
}

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  min_ns_ = count_ == 0 ? other.min_ns_ : std::min(min_ns_, other.min_ns_);
  max_ns_ = std::max(max_ns_, other.max_ns_);
  sum_ns_ += other.sum_ns_;
  count_ += other.count_;
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
}

absl::Duration Histogram::Mean() const {
  if (count_ == 0) return absl::ZeroDuration();
  return absl::Nanoseconds(sum_ns_ / static_cast<double>(count_));
}

absl::Duration Histogram::Quantile(double quantile) const {
  if (count_ == 0) return absl::ZeroDuration();
  const double exact = quantile * static_cast<double>(count_);
  const uint64_t rank =
      std::clamp<uint64_t>(static_cast<uint64_t>(std::ceil(exact)), 1, count_);
  uint64_t seen = 0;
  for (size_t i = 0; i + 1 < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) {
      return absl::Nanoseconds(std::min(LastOf(i), max_ns_));
    }
  }
  return max();
}

}  // namespace warmpool
