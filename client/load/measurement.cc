#include "client/load/measurement.h"

#include <algorithm>

namespace warmpool {

const char* OperationName(Operation operation) {
  switch (operation) {
    case Operation::kConnect: return "connect";
    case Operation::kLease: return "lease";
    case Operation::kRelease: return "release";
    case Operation::kProcess: return "process";
    case Operation::kStats: return "stats";
  }
  return "unknown";
}

void Measurement::RecordFailure(Operation operation,
                                const absl::Status& status) {
  Failure& failure = failures[{operation, status.code()}];
  if (failure.count == 0) failure.message = std::string(status.message());
  ++failure.count;
}

void Measurement::Merge(const Measurement& other) {
  lease.Merge(other.lease);
  first_touch.Merge(other.first_touch);
  release.Merge(other.release);
  warm += other.warm;
  stock += other.stock;
  fresh += other.fresh;
  for (const auto& [key, failure] : other.failures) {
    Failure& sum = failures[key];
    if (sum.count == 0) sum.message = failure.message;
    sum.count += failure.count;
  }
  elapsed = std::max(elapsed, other.elapsed);
}

bool Measurement::AllWell() const {
  return std::all_of(failures.begin(), failures.end(), [](const auto& entry) {
    return entry.first.second == absl::StatusCode::kResourceExhausted;
  });
}

}  // namespace warmpool
