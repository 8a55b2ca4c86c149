// Takes Snapshots, from outside of the daemon.
#ifndef WARMPOOL_TESTS_TORTURE_MODEL_SNAPSHOT_SOURCE_H_
#define WARMPOOL_TESTS_TORTURE_MODEL_SNAPSHOT_SOURCE_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/admin/admin_calls.h"
#include "tests/torture/model/snapshot.h"

namespace warmpool::torture {

// Of the daemon with this pid, which serves `directory` and which `admin` is
// connected to. Errors: the daemon does not answer.
absl::StatusOr<Snapshot> TakeSnapshot(AdminCalls& admin, pid_t daemon,
                                      const std::string& directory);

// The leases of all buffers, and with `listed_bytes` their segments' bytes.
absl::StatusOr<std::vector<Snapshot::Lease>> ListLeases(
    AdminCalls& admin, uint64_t* listed_bytes = nullptr);

// All living processes that descend from this one.
std::vector<pid_t> Descendants();

}  // namespace warmpool::torture

#endif  // WARMPOOL_TESTS_TORTURE_MODEL_SNAPSHOT_SOURCE_H_
