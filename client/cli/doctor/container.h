// What a container may keep from a daemon: capabilities, and the sight of the
// other processes.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_CONTAINER_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_CONTAINER_H_

#include <cstdint>
#include <optional>

#include "client/cli/doctor/check.h"
#include "client/cli/doctor/plan.h"

namespace warmpool::doctor {

struct ContainerReadings {
  // Effective ones of the process that the plan says, a bit each
  // (capabilities(7)); nullopt: not known.
  std::optional<uint64_t> capabilities = std::nullopt;
  // This process's namespace of pids is the machine's.
  bool first_pid_namespace = true;
};

ContainerReadings ReadContainer(const Plan& plan);

// `serves_others`: it is known that the daemon has other users than root.
// Whether processes see each other is told better by a daemon that runs:
// pid_namespace is left out then.
Checks CheckContainer(const ContainerReadings& readings, const Plan& plan,
                      bool serves_others);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_CONTAINER_H_
