// HandoffCrew: the processes of all pairs.
//
// To be made before anything of gRPC, whose threads would not be in a fork.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_CREW_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_CREW_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/load/framed_message.h"
#include "client/load/handoff/handoff_event.pb.h"
#include "client/load/handoff/handoff_options.h"
#include "client/load/handoff/via_measurement.h"
#include "client/load/self_process.h"

namespace warmpool {

// Used by one thread, in this order: StartConsumers, StartProducers, Go,
// WaitDone until it is true. After an error nothing but failures() is of use.
class HandoffCrew {
 public:
  // The processes get the arguments of this one. `directory` is for their
  // sockets.
  HandoffCrew(int pairs, std::string directory, char** argv)
      : pairs_(pairs), directory_(std::move(directory)), argv_(argv) {}
  // Stops all processes and waits for their end.
  ~HandoffCrew() { StopAll(); }

  // Each returns once all of its kind are ready. ABORTED: one failed; the
  // message tells why. CANCELLED: `cancelled` became true.
  absl::Status StartConsumers(const std::function<bool()>& cancelled);
  absl::Status StartProducers(const std::function<bool()>& cancelled);
  void Go();
  // Whether every producer has come to its end. Waits for `timeout` at most.
  bool WaitDone(absl::Duration timeout);
  // Brings the end about: once the rounds under way are done.
  void StopProducers();

  // Rounds so far.
  uint64_t rounds() const;
  // Of all pairs together, as far as they came; its status is not used.
  const PairMeasurement& measured() const { return measured_; }
  // What went wrong; empty: nothing.
  const std::vector<std::string>& failures() const { return failures_; }

 private:
  struct Child {
    HandoffRole role;
    SelfProcess process;
    FrameParser parser = {};
    bool ready = false;
    // It has told its result, or why there is none.
    bool told = false;
    uint64_t rounds = 0;
  };

  absl::Status StartAll(bool producers, const std::function<bool()>& cancelled);
  // Reads the events that come within `timeout`, if any.
  void ReadEvents(absl::Duration timeout);
  void ReadFrom(Child& child);
  void Handle(Child& child, const load::HandoffEvent& event);
  // Notes it and ends the run.
  void RecordFailure(const Child& child, const std::string& what);
  void StopAll();

  const int pairs_;
  const std::string directory_;
  char** const argv_;
  std::vector<Child> children_;
  PairMeasurement measured_;
  std::vector<std::string> failures_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_CREW_H_
