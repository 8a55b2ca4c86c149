#include "tests/torture/hostile/latencies.h"

#include <algorithm>
#include <cmath>

namespace warmpool::torture {

absl::Duration Latencies::Percentile(double share) const {
  if (latencies_.empty()) return absl::ZeroDuration();
  const double rank = std::ceil(share * static_cast<double>(size()));
  const size_t index = rank < 1 ? 0 : static_cast<size_t>(rank) - 1;
  std::vector<absl::Duration> sorted = latencies_;
  const auto at = sorted.begin() + std::min(index, size() - 1);
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

}  // namespace warmpool::torture
