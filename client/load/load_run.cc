#include "client/load/load_run.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "client/admin/admin_calls.h"
#include "client/load/progress_bar.h"
#include "client/load/report.h"
#include "core/base/status_macros.h"
#include "proto/warmpool/v1/stats_difference.h"

namespace warmpool {
namespace {

// Between two looks at progress and signals.
constexpr absl::Duration kTick = absl::Milliseconds(100);

double FractionDone(const LoadOptions& options, uint64_t leases,
                    absl::Duration elapsed) {
  // 0 of an unlimited duration.
  double fraction = absl::FDivDuration(elapsed, options.duration);
  if (options.scenario.leases.has_value()) {
    const double all = static_cast<double>(*options.scenario.leases) *
                       static_cast<double>(options.clients);
    fraction = std::max(fraction, static_cast<double>(leases) / all);
  }
  return std::clamp(fraction, 0.0, 1.0);
}

// Returns whether a signal ended it.
bool AwaitEnd(const LoadOptions& options, const Clock& clock, Crew& crew,
              StopSignals& signals) {
  ProgressBar bar(STDERR_FILENO);
  const absl::Time start = clock.Now();
  absl::Time next_look = start;
  bool interrupted = false;
  while (!crew.WaitDone(kTick)) {
    const absl::Time now = clock.Now();
    // Events of clients wake this up more often than anyone reads.
    if (now < next_look) continue;
    next_look = now + kTick;
    if (!interrupted && signals.Arrived()) {
      interrupted = true;
      crew.Stop();
    }
    const absl::Duration elapsed = now - start;
    const uint64_t leases = crew.progress();
    bar.Show(interrupted ? "Stopping; once more, and nothing is reported."
                         : ProgressLine(FractionDone(options, leases, elapsed),
                                        leases, elapsed));
  }
  return interrupted;
}

void AddServer(const v1::GetStatsResponse& before,
               const v1::GetStatsResponse& after, load::LoadReport* report) {
  if (after.pid() == before.pid()) {
    *report->mutable_server() = StatsDifference(before, after);
  } else {
    *report->mutable_server() = after;
    report->set_server_restarted(true);
  }
}

}  // namespace

absl::StatusOr<LoadOutcome> RunLoad(const LoadOptions& options,
                                    const Clock& clock, Crew& crew,
                                    StopSignals& signals) {
  ASSIGN_OR_RETURN(
      const std::shared_ptr<AdminCalls> observer,
      AdminCalls::Open(options.target, {.deadline = options.deadline}));
  while (!crew.WaitReady(kTick)) {
    if (signals.Arrived()) return absl::CancelledError("stopped");
  }
  ASSIGN_OR_RETURN(const v1::GetStatsResponse before, observer->GetStats());

  crew.Start();
  const bool interrupted = AwaitEnd(options, clock, crew, signals);
  Measurement measured = crew.Finish();
  const absl::StatusOr<v1::GetStatsResponse> after = observer->GetStats();
  if (!after.ok()) measured.RecordFailure(Operation::kStats, after.status());

  LoadOutcome outcome;
  outcome.report = MakeReport(options, measured);
  outcome.report.set_interrupted(interrupted);
  if (after.ok()) AddServer(before, *after, &outcome.report);
  outcome.success = measured.leases() > 0 && measured.AllWell();
  return outcome;
}

}  // namespace warmpool
