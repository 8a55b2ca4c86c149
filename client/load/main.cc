// loadgen: loads a Warmpool daemon and measures how it answers.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

#include "client/load/client_process.h"
#include "client/load/handoff/handoff_process.h"
#include "client/load/handoff/handoff_report.h"
#include "client/load/handoff/handoff_run.h"
#include "client/load/load_flags.h"
#include "client/load/load_run.h"
#include "client/load/process_crew.h"
#include "client/load/report.h"
#include "client/load/thread_crew.h"
#include "client/tool/json.h"
#include "client/tool/output.h"
#include "core/base/clock.h"
#include "google/protobuf/message.h"

namespace warmpool {
namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "loadgen: %s\n", std::string(status.message()).c_str());
  return 1;
}

absl::StatusOr<std::unique_ptr<Crew>> MakeCrew(const LoadOptions& options,
                                               char** argv) {
  if (options.processes) return ProcessCrew::Spawn(options.clients, argv);
  return ThreadCrew::Make(options, &MonotonicClock::Get());
}

// False, and says so, if the file can't be written.
bool Print(const google::protobuf::Message& report, const std::string& text,
           const std::string& json_path) {
  if (json_path == "-") {
    return PrintOut(ToJson(report));
  }
  PrintOut(text);
  if (json_path.empty()) return true;
  std::ofstream file(json_path);
  file << ToJson(report) << std::flush;
  if (file.good()) return true;
  std::fprintf(stderr, "loadgen: can't write the report to %s\n",
               json_path.c_str());
  return false;
}

int RunPairs(const HandoffOptions& options, const std::string& json_path,
             char** argv) {
  StopSignals signals;
  const absl::StatusOr<load::HandoffReport> report =
      RunHandoff(options, MonotonicClock::Get(), argv, signals);
  if (!report.ok()) return Fail(report.status());
  const bool printed = Print(*report, HandoffReportText(*report), json_path);
  return report->failures().empty() && printed ? 0 : 1;
}

int RunClients(const LoadOptions& options, char** argv) {
  StopSignals signals;
  absl::StatusOr<std::unique_ptr<Crew>> crew = MakeCrew(options, argv);
  if (!crew.ok()) return Fail(crew.status());
  const absl::StatusOr<LoadOutcome> outcome =
      RunLoad(options, MonotonicClock::Get(), **crew, signals);
  if (!outcome.ok()) return Fail(outcome.status());
  const bool printed =
      Print(outcome->report, ReportText(outcome->report), options.json_path);
  return outcome->success && printed ? 0 : 1;
}

int Main(int argc, char** argv) {
  GuardOutput("loadgen");
  const absl::StatusOr<LoadFlags> flags = ParseLoadFlags(argc, argv);
  if (!flags.ok()) return Fail(flags.status());
  const LoadOptions& options = flags->options;
  if (flags->client_process.has_value()) {
    return RunClientProcess(options, *flags->client_process);
  }
  if (flags->handoff_role.has_value()) {
    return RunHandoffProcess(*flags->handoff, *flags->handoff_role);
  }
  if (flags->handoff.has_value()) {
    return RunPairs(*flags->handoff, options.json_path, argv);
  }
  return RunClients(options, argv);
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) { return warmpool::Main(argc, argv); }
