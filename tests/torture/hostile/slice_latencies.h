// SliceLatencies: how long bystanders waited for warm leases while the hostile
// uid was stopped, and while it ran. Both happen on the same machine within
// seconds, so its own noise is in both. Not thread-safe.
#ifndef WARMPOOL_TESTS_TORTURE_HOSTILE_SLICE_LATENCIES_H_
#define WARMPOOL_TESTS_TORTURE_HOSTILE_SLICE_LATENCIES_H_

#include <array>
#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "tests/torture/hostile/bystander_report.h"
#include "tests/torture/hostile/latencies.h"
#include "tests/torture/hostile/slices.h"

namespace warmpool::torture {

class SliceLatencies {
 public:
  struct Limits {
    // Of the two 99th percentiles.
    double ratio = 3;
    // What does not exceed this is no breach, whatever the ratio: so long a
    // loaded machine keeps anybody waiting.
    absl::Duration floor = absl::Milliseconds(2);
  };

  // `size`: which of kBystanderSizes.
  void Add(SliceKind kind, size_t size, absl::Duration latency);
  const Latencies& Of(SliceKind kind, size_t size) const;

  // By size, that of hostile slices to that of quiet ones, which is taken to
  // be a microsecond at least.
  double Ratio(size_t size) const;

  // ABORTED: those of a size are above the limits, or there are too few of them
  // to tell.
  absl::Status Compare(const Limits& limits) const;

  // "64 KiB: quiet p50 100us p99 300us (n 1000), hostile ..., ratio 1.5" for
  // each size, a line each.
  std::string ToText() const;

 private:
  std::array<std::array<Latencies, kBystanderSizes.size()>, 2> latencies_;
};

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_HOSTILE_SLICE_LATENCIES_H_
