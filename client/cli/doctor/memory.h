// Whether there is memory for what is planned: the machine's, and what control
// groups leave of it.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_MEMORY_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_MEMORY_H_

#include "client/cli/doctor/check.h"
#include "client/cli/doctor/plan.h"

namespace warmpool::doctor {

// memory, and cgroup, of the process that the plan says.
Checks CheckMemory(const Plan& plan);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_MEMORY_H_
