// systemd-logind, which may remove what a user has in /dev/shm as the user logs
// out (logind.conf(5), RemoveIPC=).
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_LOGIND_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_LOGIND_H_

#include "client/cli/doctor/check.h"
#include "client/cli/doctor/plan.h"

namespace warmpool::doctor {

Check CheckRemoveIpc(const Plan& plan);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_LOGIND_H_
