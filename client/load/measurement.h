// Measurement: what one client of a run saw, or several of them together.
#ifndef WARMPOOL_CLIENT_LOAD_MEASUREMENT_H_
#define WARMPOOL_CLIENT_LOAD_MEASUREMENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/load/histogram.h"

namespace warmpool {

// What can fail.
enum class Operation { kConnect, kLease, kRelease, kProcess, kStats };

// "connect", "lease", "release", "process", "stats".
const char* OperationName(Operation operation);

struct Measurement {
  struct Failure {
    uint64_t count = 0;
    // Of the first.
    std::string message;
  };

  void RecordFailure(Operation operation, const absl::Status& status);
  void Merge(const Measurement& other);

  // Leases granted.
  uint64_t leases() const { return warm + stock + fresh; }
  // No failure, or only such as a full machine answers.
  bool AllWell() const;

  Histogram lease;
  Histogram first_touch;
  Histogram release;

  // Leases granted, by the warmth of their buffers.
  uint64_t warm = 0;
  uint64_t stock = 0;
  uint64_t fresh = 0;

  std::map<std::pair<Operation, absl::StatusCode>, Failure> failures;

  // From the start of the run to the client's last step; of several clients,
  // the longest.
  absl::Duration elapsed;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_MEASUREMENT_H_
