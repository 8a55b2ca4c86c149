#include "client/load/client_event.h"

#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace warmpool {
namespace {

void HistogramToParts(const Histogram& histogram,
                      load::HistogramParts* message) {
  const Histogram::Parts parts = histogram.ToParts();
  message->mutable_counts()->Add(parts.counts.begin(), parts.counts.end());
  message->set_min_ns(parts.min_ns);
  message->set_max_ns(parts.max_ns);
  message->set_sum_ns(parts.sum_ns);
}

Histogram HistogramFromParts(const load::HistogramParts& message) {
  return Histogram(Histogram::Parts{
      .counts = {message.counts().begin(), message.counts().end()},
      .min_ns = message.min_ns(),
      .max_ns = message.max_ns(),
      .sum_ns = message.sum_ns()});
}

}  // namespace

load::MeasurementParts ToParts(const Measurement& measurement) {
  load::MeasurementParts parts;
  HistogramToParts(measurement.lease, parts.mutable_lease());
  HistogramToParts(measurement.first_touch, parts.mutable_first_touch());
  HistogramToParts(measurement.release, parts.mutable_release());
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
  measurement.lease = HistogramFromParts(parts.lease());
  measurement.first_touch = HistogramFromParts(parts.first_touch());
  measurement.release = HistogramFromParts(parts.release());
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

bool WriteEvent(int fd, const load::ClientEvent& event) {
  const uint32_t length = static_cast<uint32_t>(event.ByteSizeLong());
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  event.AppendToString(&bytes);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t written = write(fd, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    done += static_cast<size_t>(written);
  }
  return true;
}

void EventParser::Append(absl::string_view bytes) {
  unread_.append(bytes.data(), bytes.size());
}

std::optional<load::ClientEvent> EventParser::Next() {
  uint32_t length;
  if (unread_.size() < sizeof(length)) return std::nullopt;
  std::memcpy(&length, unread_.data(), sizeof(length));
  if (unread_.size() - sizeof(length) < length) return std::nullopt;
  load::ClientEvent event;
  event.ParseFromArray(unread_.data() + sizeof(length),
                       static_cast<int>(length));
  unread_.erase(0, sizeof(length) + length);
  return event;
}

}  // namespace warmpool
