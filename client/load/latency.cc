#include "client/load/latency.h"

namespace warmpool {

load::Latency ToLatency(const Histogram& histogram) {
  load::Latency latency;
  const auto quantile_us = [&histogram](double quantile) {
    return absl::ToDoubleMicroseconds(histogram.Quantile(quantile));
  };
  latency.set_count(histogram.count());
  latency.set_min_us(absl::ToDoubleMicroseconds(histogram.min()));
  latency.set_mean_us(absl::ToDoubleMicroseconds(histogram.Mean()));
  latency.set_p50_us(quantile_us(0.5));
  latency.set_p90_us(quantile_us(0.9));
  latency.set_p99_us(quantile_us(0.99));
  latency.set_p999_us(quantile_us(0.999));
  latency.set_max_us(absl::ToDoubleMicroseconds(histogram.max()));
  return latency;
}

}  // namespace warmpool
