// What is in ClientEvents, to and from what it stands for.
#ifndef WARMPOOL_CLIENT_LOAD_CLIENT_EVENT_H_
#define WARMPOOL_CLIENT_LOAD_CLIENT_EVENT_H_

#include "client/load/client_event.pb.h"
#include "client/load/histogram.h"
#include "client/load/measurement.h"

namespace warmpool {

load::HistogramParts ToParts(const Histogram& histogram);
Histogram FromParts(const load::HistogramParts& parts);

load::MeasurementParts ToParts(const Measurement& measurement);
Measurement FromParts(const load::MeasurementParts& parts);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_CLIENT_EVENT_H_
