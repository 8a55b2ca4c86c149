// CrewProcess: a running restart_crew, twenty clients at work.
#ifndef WARMPOOL_TESTS_E2E_CREW_PROCESS_H_
#define WARMPOOL_TESTS_E2E_CREW_PROCESS_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "tests/support/child_process.h"

namespace warmpool::testing {

class CrewProcess {
 public:
  struct Report {
    uint64_t calls = 0;
    uint64_t failed = 0;
    // The longest call of the client that leases without pause, and of any.
    absl::Duration probe;
    absl::Duration worst;
  };

  // `pause`: of each client but that one, between two rounds.
  CrewProcess(const std::string& target, absl::Duration pause);

  // What became of the calls since the last report, once each client has had an
  // answer to a call that it made after this was called. Throws if the crew has
  // gone.
  Report Next();

  // Ends its work; 0: in order.
  int Finish();

 private:
  ChildProcess process_;
};

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_E2E_CREW_PROCESS_H_
