#include "server/stats/histogram.h"

#include "proto/warmpool/v1/stats_difference.h"

namespace warmpool {

v1::LatencyHistogram ToProto(const LatencyHistogram::Snapshot& snapshot) {
  v1::LatencyHistogram histogram;
  histogram.set_count(snapshot.count());
  histogram.set_sum_ns(snapshot.sum_ns);
  for (size_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
    if (snapshot.counts[i] == 0) continue;
    v1::LatencyHistogram::Bucket* const bucket = histogram.add_buckets();
    bucket->set_upper_bound_ns(LatencyHistogram::UpperBoundNs(i));
    bucket->set_count(snapshot.counts[i]);
  }
  SetQuantiles(&histogram);
  return histogram;
}

}  // namespace warmpool
