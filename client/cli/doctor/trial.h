// What a daemon's segments rest on, really tried in a scratch directory: pages
// of 2 MiB, and the kernel's word that nobody has a file.
#ifndef WARMPOOL_CLIENT_CLI_DOCTOR_TRIAL_H_
#define WARMPOOL_CLIENT_CLI_DOCTOR_TRIAL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/doctor/check.h"
#include "client/cli/doctor/directory.h"
#include "core/memory/pages/huge_pages.h"

namespace warmpool::doctor {

struct TrialReadings {
  // Not OK: there was no place to try in, and the others say nothing.
  absl::Status place;
  absl::StatusOr<HugePages::Method> huge_pages = HugePages::Method::kNone;
  // Whether files can be proven free: of another uid, and of this one.
  bool may_serve_others = false;
  absl::Status proof_for_others;
  absl::Status proof;
};

// On the filesystem that the directory is on, or would be. Makes a directory
// there and removes it; a daemon's files are not touched.
TrialReadings Try(const DirectoryReadings& directory,
                  const std::string& shm_dir);

// huge_pages and proof.
Checks CheckTrial(const TrialReadings& readings);

}  // namespace warmpool::doctor

#endif  // WARMPOOL_CLIENT_CLI_DOCTOR_TRIAL_H_
