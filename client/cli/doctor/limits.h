// What the kernel allows a process: memory it may lock, descriptors, sizes of
// files, mappings.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_LIMITS_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_LIMITS_H_

#include "client/cli/doctor/check.h"
#include "client/cli/doctor/plan.h"

namespace warmpool::doctor {

// memlock, descriptors, file_size and mappings, of the process that the plan
// says.
Checks CheckLimits(const Plan& plan);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_LIMITS_H_
