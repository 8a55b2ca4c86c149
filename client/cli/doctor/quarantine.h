// Whether memory is quarantined, and which processes keep it so.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_QUARANTINE_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_QUARANTINE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/doctor/check.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool::doctor {

struct QuarantineReadings {
  // As the daemon tells.
  uint64_t segments = 0;
  uint64_t bytes = 0;
  // Whether this user may look into the daemon's directory.
  absl::Status looked;
  // Those that have any of it open or mapped, the most bytes first.
  std::vector<CheckedProcess> processes = {};
  // Processes that this user may not look into.
  uint64_t unseen_processes = 0;
};

// Looks at processes only if anything is quarantined. `root` stands before
// "/proc".
QuarantineReadings ReadQuarantine(const v1::GetStatsResponse& stats,
                                  const std::string& root = "");

// Names kMostNamed processes, and has kMostProcesses of them.
inline constexpr size_t kMostNamed = 5;
inline constexpr size_t kMostProcesses = 100;
Check CheckQuarantine(const QuarantineReadings& readings);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_QUARANTINE_H_
