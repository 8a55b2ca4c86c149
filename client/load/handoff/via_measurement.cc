#include "client/load/handoff/via_measurement.h"

#include <string>

#include "client/load/client_event.h"

namespace warmpool {

void ViaMeasurement::Merge(const ViaMeasurement& other) {
  bytes_per_second += other.bytes_per_second;
  message.Merge(other.message);
  renew.Merge(other.renew);
  get.Merge(other.get);
  fill.Merge(other.fill);
  hand_over.Merge(other.hand_over);
  read.Merge(other.read);
  give_back.Merge(other.give_back);
  trip.Merge(other.trip);
}

load::HandoffResult ToParts(const PairMeasurement& measured) {
  load::HandoffResult parts;
  for (const auto& [via, one] : measured.vias) {
    load::ViaParts& added = *parts.add_vias();
    added.set_via(static_cast<int32_t>(via));
    added.set_bytes_per_second(one.bytes_per_second);
    *added.mutable_message() = ToParts(one.message);
    *added.mutable_renew() = ToParts(one.renew);
    *added.mutable_get() = ToParts(one.get);
    *added.mutable_fill() = ToParts(one.fill);
    *added.mutable_hand_over() = ToParts(one.hand_over);
    *added.mutable_read() = ToParts(one.read);
    *added.mutable_give_back() = ToParts(one.give_back);
    *added.mutable_trip() = ToParts(one.trip);
  }
  parts.set_elapsed_ns(absl::ToInt64Nanoseconds(measured.elapsed));
  parts.set_code(static_cast<int32_t>(measured.status.code()));
  parts.set_message(std::string(measured.status.message()));
  return parts;
}

PairMeasurement FromParts(const load::HandoffResult& parts) {
  PairMeasurement measured;
  for (const load::ViaParts& one : parts.vias()) {
    measured.vias[static_cast<Via>(one.via())] = {
        .bytes_per_second = one.bytes_per_second(),
        .message = FromParts(one.message()),
        .renew = FromParts(one.renew()),
        .get = FromParts(one.get()),
        .fill = FromParts(one.fill()),
        .hand_over = FromParts(one.hand_over()),
        .read = FromParts(one.read()),
        .give_back = FromParts(one.give_back()),
        .trip = FromParts(one.trip())};
  }
  measured.elapsed = absl::Nanoseconds(parts.elapsed_ns());
  measured.status = absl::Status(static_cast<absl::StatusCode>(parts.code()),
                                 parts.message());
  return measured;
}

}  // namespace warmpool
