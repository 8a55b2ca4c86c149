// A histogram as reports tell it.
#ifndef WARMPOOL_CLIENT_LOAD_LATENCY_H_
#define WARMPOOL_CLIENT_LOAD_LATENCY_H_

#include "client/load/histogram.h"
#include "client/load/report.pb.h"

namespace warmpool {

load::Latency ToLatency(const Histogram& histogram);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_LATENCY_H_
