// RunLoad: a run from its first client to its report.
#ifndef WARMPOOL_CLIENT_LOAD_LOAD_RUN_H_
#define WARMPOOL_CLIENT_LOAD_LOAD_RUN_H_

#include "absl/status/statusor.h"
#include "client/load/crew.h"
#include "client/load/load_options.h"
#include "client/load/report.pb.h"
#include "client/tool/stop_signals.h"
#include "core/base/clock.h"

namespace warmpool {

struct LoadOutcome {
  load::LoadReport report;
  // Leases were granted, and nothing failed but for want of memory.
  bool success = false;
};

// Shows the progress where stderr is a terminal. Ends early on a signal, with
// what was measured until then. Errors: the daemon does not answer; CANCELLED:
// the signal came before the start.
absl::StatusOr<LoadOutcome> RunLoad(const LoadOptions& options,
                                    const Clock& clock, Crew& crew,
                                    StopSignals& signals);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_LOAD_RUN_H_
