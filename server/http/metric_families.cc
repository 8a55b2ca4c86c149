#include "server/http/metric_families.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/latency_histogram.h"
#include "prometheus/text_serializer.h"

namespace warmpool {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

void MetricFamilies::Begin(const std::string& name, const std::string& help,
                           MetricType type) {
  if (!families_.empty() && families_.back().metric.empty()) {
    families_.pop_back();
  }
  MetricFamily& family = families_.emplace_back();
  family.name = absl::StrCat("warmpool_", name);
  family.help = absl::StrCat(help, ".");
  family.type = type;
}

void MetricFamilies::Gauge(const std::string& name, const std::string& help) {
  Begin(name, help, MetricType::Gauge);
}

void MetricFamilies::Counter(const std::string& name, const std::string& help) {
  Begin(name, help, MetricType::Counter);
}

void MetricFamilies::Histogram(const std::string& name,
                               const std::string& help) {
  Begin(name, help, MetricType::Histogram);
}

ClientMetric& MetricFamilies::AddSample(const Labels& labels) {
  WARMPOOL_CHECK(!families_.empty(), "a sample of no metric");
  ClientMetric& sample = families_.back().metric.emplace_back();
  for (const auto& [name, value] : labels)
    sample.label.push_back({name, value});
  return sample;
}

void MetricFamilies::Add(const Labels& labels, double value) {
  ClientMetric& sample = AddSample(labels);
  if (families_.back().type == MetricType::Counter) {
    sample.counter.value = value;
  } else {
    sample.gauge.value = value;
  }
}

void MetricFamilies::Add(const Labels& labels,
                         const v1::LatencyHistogram& latency) {
  ClientMetric::Histogram& histogram = AddSample(labels).histogram;
  histogram.sample_count = latency.count();
  histogram.sample_sum = 1e-9 * static_cast<double>(latency.sum_ns());
  // The same bounds every time, as a series has to have them.
  uint64_t below = 0;
  int next = 0;
  for (int bits = LatencyHistogram::kFirstBits;
       bits <= LatencyHistogram::kLastBits; ++bits) {
    const uint64_t bound = uint64_t{1} << bits;
    while (next < latency.buckets_size() &&
           latency.buckets(next).upper_bound_ns() <= bound) {
      below += latency.buckets(next++).count();
    }
    histogram.bucket.push_back({below, 1e-9 * static_cast<double>(bound)});
  }
  histogram.bucket.push_back(
      {latency.count(), std::numeric_limits<double>::infinity()});
}

void MetricFamilies::AddFlushSizes(const v1::BatchCounts& batch) {
  ClientMetric::Histogram& histogram = AddSample({}).histogram;
  histogram.sample_sum = static_cast<double>(batch.blocks_flushed());
  uint64_t below = 0;
  for (const v1::BatchCounts::FlushSize& size : batch.flush_sizes()) {
    below += size.flushes();
    const uint64_t bound = size.upper_bound_blocks();
    histogram.bucket.push_back(
        {below, bound == std::numeric_limits<uint64_t>::max()
                    ? std::numeric_limits<double>::infinity()
                    : static_cast<double>(bound)});
  }
  histogram.sample_count = below;
}

std::string MetricFamilies::ToText() const {
  std::vector<MetricFamily> families;
  for (const MetricFamily& family : families_) {
    if (!family.metric.empty()) families.push_back(family);
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace warmpool
