// What a pair measured of one way to hand bytes over, or several pairs
// together.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_VIA_MEASUREMENT_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_VIA_MEASUREMENT_H_

#include <cstdint>
#include <map>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/load/handoff/handoff_event.pb.h"
#include "client/load/handoff/via.h"
#include "client/load/histogram.h"

namespace warmpool {

struct ViaMeasurement {
  void Merge(const ViaMeasurement& other);

  uint64_t rounds() const { return trip.count(); }
  // Of the trips; of several pairs, the sum of theirs.
  double bytes_per_second = 0;

  // An empty message of the users' own and its answer.
  Histogram message;
  // Renewing one lease: a message to the daemon and its answer. Nothing where
  // no daemon is needed.
  Histogram renew;

  // Memory to write to.
  Histogram get;
  Histogram fill;
  // From the producer's last write until the consumer has the bytes in memory.
  Histogram hand_over;
  Histogram read;
  // Both sides of it together.
  Histogram give_back;
  // From before `get` to after `give_back`.
  Histogram trip;
};

struct PairMeasurement {
  std::map<Via, ViaMeasurement> vias;
  absl::Duration elapsed;
  // Why it ended early.
  absl::Status status;
};

load::HandoffResult ToParts(const PairMeasurement& measured);
PairMeasurement FromParts(const load::HandoffResult& parts);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_VIA_MEASUREMENT_H_
