// loadgen: loads a Warmpool daemon and measures how it answers.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>

#include "client/load/client_process.h"
#include "client/load/load_flags.h"
#include "client/load/load_run.h"
#include "client/load/process_crew.h"
#include "client/load/report.h"
#include "client/load/thread_crew.h"
#include "client/tool/json.h"

namespace warmpool {
namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "loadgen: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::StatusOr<std::unique_ptr<Crew>> MakeCrew(const LoadOptions& options,
                                               char** argv) {
  if (options.processes) return ProcessCrew::Spawn(options.clients, argv);
  return std::make_unique<ThreadCrew>(options, &MonotonicClock::Get());
}

// False, and says so, if the file can't be written.
bool Print(const load::LoadReport& report, const std::string& json_path) {
  if (json_path == "-") {
    std::fputs(ToJson(report).c_str(), stdout);
    return true;
  }
  std::fputs(ReportText(report).c_str(), stdout);
  if (json_path.empty()) return true;
  std::ofstream file(json_path);
  file << ToJson(report) << std::flush;
  if (file.good()) return true;
  std::fprintf(stderr, "loadgen: can't write the report to %s\n",
               json_path.c_str());
  return false;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<LoadFlags> flags = ParseLoadFlags(argc, argv);
  if (!flags.ok()) return Fail(flags.status());
  const LoadOptions& options = flags->options;
  if (flags->client_process.has_value()) {
    return RunClientProcess(options, *flags->client_process);
  }
  StopSignals signals;
  absl::StatusOr<std::unique_ptr<Crew>> crew = MakeCrew(options, argv);
  if (!crew.ok()) return Fail(crew.status());
  const absl::StatusOr<LoadOutcome> outcome =
      RunLoad(options, MonotonicClock::Get(), **crew, signals);
  if (!outcome.ok()) return Fail(outcome.status());
  const bool printed = Print(outcome->report, options.json_path);
  return outcome->success && printed ? 0 : 1;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) { return warmpool::Main(argc, argv); }
