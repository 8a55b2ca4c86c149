// A daemon that runs, asked by a client as any other: what it says of itself,
// and whether this process can have a lease and be seen by it.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_DAEMON_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_DAEMON_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/admin/admin_calls.h"
#include "client/cli/doctor/check.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "warmpool/warmpool.h"

namespace warmpool::doctor {

struct DaemonReadings {
  absl::StatusOr<v1::GetStatsResponse> stats = absl::UnknownError("not asked");
  // Of a buffer of 4 KiB: leased, mapped and released.
  absl::Status leased;
  // As whom the daemon has its holder; 0: it has no number there.
  std::optional<int32_t> seen_as;
  pid_t own_pid = 0;
  uid_t own_uid = 0;
  // The daemon's directory is to be seen from here.
  bool directory_seen = false;
};

// Leases a buffer for a moment, if the daemon answers `admin`.
DaemonReadings AskDaemon(absl::StatusOr<std::shared_ptr<AdminCalls>> admin,
                         absl::FunctionRef<absl::StatusOr<Client>()> connect);

// daemon, lease and pid_namespace; daemon alone if it does not answer.
Checks CheckDaemon(const DaemonReadings& readings);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_DAEMON_H_
