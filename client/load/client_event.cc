#include "client/load/client_event.h"

#include <cstdint>

namespace warmpool {

load::HistogramParts ToParts(const Histogram& histogram) {
  const Histogram::Parts parts = histogram.ToParts();
  load::HistogramParts message;
  message.mutable_counts()->Add(parts.counts.begin(), parts.counts.end());
  message.set_min_ns(parts.min_ns);
  message.set_max_ns(parts.max_ns);
  message.set_sum_ns(parts.sum_ns);
  return message;
}

Histogram FromParts(const load::HistogramParts& parts) {
  return Histogram(
      Histogram::Parts{.counts = {parts.counts().begin(), parts.counts().end()},
                       .min_ns = parts.min_ns(),
                       .max_ns = parts.max_ns(),
                       .sum_ns = parts.sum_ns()});
}

load::MeasurementParts ToParts(const Measurement& measurement) {
  load::MeasurementParts parts;
  *parts.mutable_lease() = ToParts(measurement.lease);
  *parts.mutable_first_touch() = ToParts(measurement.first_touch);
  *parts.mutable_release() = ToParts(measurement.release);
  parts.set_warm(measurement.warm);
  parts.set_stock(measurement.stock);
  parts.set_fresh(measurement.fresh);
  for (const auto& [key, failure] : measurement.failures) {
    load::FailureParts* const added = parts.add_failures();
    added->set_operation(static_cast<int32_t>(key.first));
    added->set_code(static_cast<int32_t>(key.second));
    added->set_count(failure.count);
    added->set_message(failure.message);
  }
  parts.set_elapsed_ns(absl::ToInt64Nanoseconds(measurement.elapsed));
  return parts;
}

Measurement FromParts(const load::MeasurementParts& parts) {
  Measurement measurement;
  measurement.lease = FromParts(parts.lease());
  measurement.first_touch = FromParts(parts.first_touch());
  measurement.release = FromParts(parts.release());
  measurement.warm = parts.warm();
  measurement.stock = parts.stock();
  measurement.fresh = parts.fresh();
  for (const load::FailureParts& failure : parts.failures()) {
    measurement.failures[{static_cast<Operation>(failure.operation()),
                          static_cast<absl::StatusCode>(failure.code())}] = {
        .count = failure.count(), .message = failure.message()};
  }
  measurement.elapsed = absl::Nanoseconds(parts.elapsed_ns());
  return measurement;
}

}  // namespace warmpool
