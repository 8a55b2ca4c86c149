// Drive: one client's run. Takes the steps of a scenario, makes them, and
// measures them.
//
// As fast as it goes, or at a fixed rate. At a fixed rate each step has a
// moment at which it should start, and its latency counts from there: a step
// that waits because the one before it was slow did not wait any less for it.
// (Otherwise the slowest moments are those with the fewest samples:
// "coordinated omission".)
#ifndef WARMPOOL_CLIENT_LOAD_DRIVER_H_
#define WARMPOOL_CLIENT_LOAD_DRIVER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/load/measurement.h"
#include "client/load/scenario.h"
#include "core/base/clock.h"

namespace warmpool {

enum class LoadWarmth { kWarm, kStock, kFresh };

// What a client leases from. A slot holds one buffer at most.
class LoadTarget {
 public:
  virtual ~LoadTarget() = default;
  // REQUIRES: the slot is empty. It stays so on error.
  virtual absl::StatusOr<LoadWarmth> Lease(size_t slot, uint64_t bytes) = 0;
  // False: buffers are not to be touched.
  virtual bool Touch(size_t slot) = 0;
  // Whether the slot holds a buffer.
  virtual bool Holds(size_t slot) const = 0;
  // Empties the slot, even on error.
  virtual absl::Status Release(size_t slot) = 0;
};

// When the steps of one client are due, counted from the start of the run.
struct Pace {
  // At `leases_per_second`, which all clients make together. A lease has a
  // release, so there are two steps for each; clients take turns.
  // REQUIRES: leases_per_second > 0; 0 <= client < clients.
  static Pace Of(double leases_per_second, int clients, int client);

  absl::Duration first;
  // Zero: a step is due when the one before it is done.
  absl::Duration interval;
};

struct DriveOptions {
  // Once it is over, no further step of the scenario is made.
  absl::Duration duration = absl::InfiniteDuration();
  Pace pace;
};

// How a client waits, and learns that it is to stop.
class Stopper {
 public:
  virtual ~Stopper() = default;
  virtual bool stopped() const = 0;
  // Returns at `time` of the clock, or when stopped.
  virtual void SleepUntil(absl::Time time) = 0;
};

// Makes steps until the scenario ends, the duration is over or the stopper
// says so, then releases what is left, at once. A failed step is recorded and
// the run goes on. Adds up leases asked for in `progress` as it goes.
Measurement Drive(Scenario scenario, const DriveOptions& options,
                  const Clock& clock, Stopper& stopper, LoadTarget& target,
                  std::atomic<uint64_t>& progress);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_DRIVER_H_
