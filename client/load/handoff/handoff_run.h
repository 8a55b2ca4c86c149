// RunHandoff: a run of the scenario handoff, from its first process to its
// report.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_RUN_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_RUN_H_

#include "absl/status/statusor.h"
#include "client/load/handoff/handoff_options.h"
#include "client/load/handoff/handoff_report.pb.h"
#include "client/tool/stop_signals.h"
#include "core/base/clock.h"

namespace warmpool {

// Shows the progress where stderr is a terminal. Ends early on a signal, or
// when anything goes wrong, with what was measured until then. Starts processes
// with the arguments of this one, so nothing of gRPC may be in it yet. Errors:
// a process could not begin; CANCELLED: the signal came before the start.
absl::StatusOr<load::HandoffReport> RunHandoff(const HandoffOptions& options,
                                               const Clock& clock, char** argv,
                                               StopSignals& signals);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_RUN_H_
