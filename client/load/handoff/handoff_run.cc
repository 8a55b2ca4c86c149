#include "client/load/handoff/handoff_run.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "client/load/handoff/handoff_crew.h"
#include "client/load/handoff/handoff_report.h"
#include "client/load/progress_bar.h"

namespace warmpool {
namespace {

// Between two looks at progress and signals.
constexpr absl::Duration kTick = absl::Milliseconds(100);

// A directory of its own, removed with this object.
class ScopedDirectory {
 public:
  ScopedDirectory() : path_("/tmp/loadgen-handoff-XXXXXX") {
    error_ = mkdtemp(path_.data()) != nullptr ? 0 : errno;
  }
  ~ScopedDirectory() {
    std::error_code ignored;
    if (error_ == 0) std::filesystem::remove_all(path_, ignored);
  }
  ScopedDirectory(const ScopedDirectory&) = delete;
  ScopedDirectory& operator=(const ScopedDirectory&) = delete;

  const std::string& path() const { return path_; }
  int error() const { return error_; }

 private:
  std::string path_;
  int error_;
};

double FractionDone(const HandoffOptions& options, uint64_t rounds,
                    absl::Duration elapsed) {
  // 0 of an unlimited duration.
  double fraction = absl::FDivDuration(elapsed, options.duration);
  if (options.rounds.has_value()) {
    const double all = static_cast<double>(*options.rounds) * options.pairs *
                       static_cast<double>(options.vias.list.size());
    fraction = std::max(fraction, static_cast<double>(rounds) / all);
  }
  return std::clamp(fraction, 0.0, 1.0);
}

// Returns whether a signal ended it.
bool AwaitEnd(const HandoffOptions& options, const Clock& clock,
              HandoffCrew& crew, StopSignals& signals) {
  ProgressBar bar(STDERR_FILENO);
  const absl::Time start = clock.Now();
  bool interrupted = false;
  while (!crew.WaitDone(kTick)) {
    if (!interrupted && signals.Arrived()) {
      interrupted = true;
      crew.StopProducers();
    }
    const absl::Duration elapsed = clock.Now() - start;
    const uint64_t rounds = crew.rounds();
    bar.Show(interrupted ? "Stopping; once more, and nothing is reported."
                         : ProgressLine(FractionDone(options, rounds, elapsed),
                                        rounds, elapsed, "rounds"));
  }
  // A process that died is told of in the same moment as whoever lost it.
  if (!crew.failures().empty()) crew.WaitDone(kTick);
  return interrupted;
}

}  // namespace

absl::StatusOr<load::HandoffReport> RunHandoff(const HandoffOptions& options,
                                               const Clock& clock, char** argv,
                                               StopSignals& signals) {
  const ScopedDirectory directory;
  if (directory.error() != 0) {
    return absl::ErrnoToStatus(directory.error(),
                               "no directory for the sockets of the pairs");
  }
  HandoffCrew crew(options.pairs, directory.path(), argv);
  const auto cancelled = [&signals] { return signals.Arrived(); };
  absl::Status status = crew.StartConsumers(cancelled);
  if (status.ok()) status = crew.StartProducers(cancelled);
  if (!status.ok()) return status;

  crew.Go();
  const bool interrupted = AwaitEnd(options, clock, crew, signals);
  load::HandoffReport report = MakeHandoffReport(options, crew.measured());
  report.set_interrupted(interrupted);
  for (const std::string& failure : crew.failures()) {
    report.add_failures(failure);
  }
  return report;
}

}  // namespace warmpool
