// MetricFamilies: metrics by their names, each with its samples, to be written
// in Prometheus' text format.
#ifndef WARMPOOL_SERVER_HTTP_METRIC_FAMILIES_H_
#define WARMPOOL_SERVER_HTTP_METRIC_FAMILIES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "prometheus/metric_family.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Not thread-safe.
class MetricFamilies {
 public:
  using Labels = std::vector<std::pair<std::string, std::string>>;

  // Begins a family; the samples that follow are of it. `name` is without the
  // prefix "warmpool_", `help` a sentence without its full stop.
  void Gauge(const std::string& name, const std::string& help);
  void Counter(const std::string& name, const std::string& help);
  // Of durations, in seconds.
  void Histogram(const std::string& name, const std::string& help);

  // REQUIRES: a gauge or a counter.
  void Add(const Labels& labels, double value);
  // REQUIRES: a histogram. Buckets go by whole doublings.
  void Add(const Labels& labels, const v1::LatencyHistogram& latency);
  // REQUIRES: a histogram.
  void AddFlushSizes(const v1::BatchCounts& batch);

  // Families without samples are left out.
  std::string ToText() const;

 private:
  void Begin(const std::string& name, const std::string& help,
             prometheus::MetricType type);
  prometheus::ClientMetric& AddSample(const Labels& labels);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HTTP_METRIC_FAMILIES_H_
