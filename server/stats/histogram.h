// Histograms as the wire contract has them.
#ifndef WARMPOOL_SERVER_STATS_HISTOGRAM_H_
#define WARMPOOL_SERVER_STATS_HISTOGRAM_H_

#include "core/base/latency_histogram.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

v1::LatencyHistogram ToProto(const LatencyHistogram::Snapshot& snapshot);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_STATS_HISTOGRAM_H_
