// What the daemon's statistics say about the time between two answers.
#ifndef WARMPOOL_PROTO_WARMPOOL_V1_STATS_DIFFERENCE_H_
#define WARMPOOL_PROTO_WARMPOOL_V1_STATS_DIFFERENCE_H_

#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// `after`, with its counts since the daemon's start replaced by what they grew
// by since `before`; of histograms too. What tells of a moment (bytes, live
// leases, segments retained, blocks waiting) or is a maximum stays as it is.
// REQUIRES: both are answers of the same daemon process.
v1::GetStatsResponse StatsDifference(const v1::GetStatsResponse& before,
                                     const v1::GetStatsResponse& after);

// What the fraction `quantile` of the durations do not exceed, in nanoseconds,
// as if those of a bucket were spread evenly over it. 0 where there are none.
// REQUIRES: 0 <= quantile <= 1.
uint64_t QuantileNs(const v1::LatencyHistogram& histogram, double quantile);

// Sets p50_ns and p99_ns by the buckets.
void SetQuantiles(v1::LatencyHistogram* histogram);

}  // namespace warmpool

#endif  // WARMPOOL_PROTO_WARMPOOL_V1_STATS_DIFFERENCE_H_
