// Crew: the clients of a run, wherever they run.
#ifndef WARMPOOL_CLIENT_LOAD_CREW_H_
#define WARMPOOL_CLIENT_LOAD_CREW_H_

#include <cstdint>

#include "absl/time/time.h"
#include "client/load/measurement.h"

namespace warmpool {

// Used by one thread, in this order: WaitReady until it is true, Start,
// WaitDone until it is true, Finish. The clients connect from the beginning;
// destroying the crew stops them.
class Crew {
 public:
  virtual ~Crew() = default;

  // Whether every client has connected, or failed to. Waits for `timeout` at
  // most.
  virtual bool WaitReady(absl::Duration timeout) = 0;
  virtual void Start() = 0;
  // Whether every client has come to its end. Waits for `timeout` at most.
  virtual bool WaitDone(absl::Duration timeout) = 0;
  // Leases asked for so far.
  virtual uint64_t progress() const = 0;
  // Brings the end about: once the calls under way are answered.
  virtual void Stop() = 0;
  // What all clients measured.
  virtual Measurement Finish() = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_CREW_H_
