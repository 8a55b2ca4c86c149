// ProcessCrew: each client is a process: this program again, told by a flag
// which client it is, which writes ClientEvents.
//
// To be made before anything of gRPC, whose threads would not be in a fork.
#ifndef WARMPOOL_CLIENT_LOAD_PROCESS_CREW_H_
#define WARMPOOL_CLIENT_LOAD_PROCESS_CREW_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/load/client_event.pb.h"
#include "client/load/crew.h"
#include "client/load/framed_message.h"
#include "client/load/self_process.h"

namespace warmpool {

class ProcessCrew final : public Crew {
 public:
  // Starts `clients` processes with the arguments of this one. Errors are
  // those of SelfProcess::Start.
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
    SelfProcess process;
    FrameParser parser = {};
    bool ready = false;
    // It has told what it measured.
    bool measured = false;
    uint64_t progress = 0;
  };

  ProcessCrew() = default;

  // Reads the events that come within `timeout`, if any.
  void ReadEvents(absl::Duration timeout);
  void ReadFrom(Child& child);
  void Handle(Child& child, const load::ClientEvent& event);
  void RecordEnd(const Child& child, const std::string& how_it_ended);

  std::vector<Child> children_;
  Measurement measured_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_PROCESS_CREW_H_
