// ProcessCrew: each client is a process: this program again, told by a flag
// which client it is. It reads from its standard input when to start (a byte)
// and when to stop (the end), and writes ClientEvents to its standard output;
// should this process die, it therefore stops.
//
// To be made before anything of gRPC, whose threads would not be in a fork.
#ifndef WARMPOOL_CLIENT_LOAD_PROCESS_CREW_H_
#define WARMPOOL_CLIENT_LOAD_PROCESS_CREW_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/load/client_event.h"
#include "client/load/crew.h"

namespace warmpool {

class ProcessCrew final : public Crew {
 public:
  // Starts `clients` processes with the arguments of this one. Errors are
  // those of pipe2(2) and posix_spawn(3).
  static absl::StatusOr<std::unique_ptr<ProcessCrew>> Spawn(int clients,
                                                            char** argv);
  // Waits until every process has ended.
  ~ProcessCrew() override;

  bool WaitReady(absl::Duration timeout) override;
  void Start() override;
  bool WaitDone(absl::Duration timeout) override;
  uint64_t progress() const override;
  void Stop() override;
  Measurement Finish() override { return measured_; }

 private:
  struct Child {
    pid_t pid = -1;
    // Our end of its standard input; -1 once closed.
    int control = -1;
    // Our end of its standard output; -1 after its last event.
    int events = -1;
    EventParser parser;
    bool ready = false;
    // It has told what it measured.
    bool measured = false;
    uint64_t progress = 0;
  };

  ProcessCrew() = default;

  absl::Status SpawnOne(const std::vector<std::string>& arguments);
  // Reads the events that come within `timeout`, if any.
  void ReadEvents(absl::Duration timeout);
  void ReadFrom(Child& child);
  void Handle(Child& child, const load::ClientEvent& event);
  // Waits for the end of a process that has closed its output.
  void Reap(Child& child);

  std::vector<Child> children_;
  Measurement measured_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_PROCESS_CREW_H_
