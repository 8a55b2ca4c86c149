// The daemon's statistics as Prometheus scrapes them.
#ifndef WARMPOOL_SERVER_HTTP_METRICS_TEXT_H_
#define WARMPOOL_SERVER_HTTP_METRICS_TEXT_H_

#include <string>

#include "absl/time/time.h"
#include "server/http/status.pb.h"

namespace warmpool {

// In the text format, version 0.0.4. `now` is wall time, for time stamps.
std::string MetricsText(const http::Status& status, absl::Time now);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HTTP_METRICS_TEXT_H_
