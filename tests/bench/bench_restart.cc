// What clients at work notice of a daemon's restart: one that is planned
// (SIGTERM) and one that is not (SIGKILL), by turns in one run, the next daemon
// started as soon as the one before has gone.
//
//   bazel-bin/tests/bench/bench_restart --restarts=100
//
// Twenty clients in two processes lease, wait, and hand over (restart_crew).
// The outage is the longest call of a client that leases and releases without
// pause; beside it the longest call of any of the twenty. A call that fails
// ends the run with an error.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/e2e/crew_process.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"
#include "tests/support/runfile.h"

ABSL_FLAG(int, restarts, 100, "Restarts of either kind");
ABSL_FLAG(absl::Duration, pause, absl::Milliseconds(2),
          "Of each client between two rounds, but for the one that measures");
ABSL_FLAG(int, leases, 0,
          "Leases of 4 KiB that another client has all the while");
ABSL_FLAG(absl::Duration, apart, absl::Milliseconds(200),
          "How long each daemon serves before it is stopped");

namespace warmpool {
namespace {

using testing::CrewProcess;
using testing::DaemonProcess;

struct Times {
  std::vector<absl::Duration> probe;
  std::vector<absl::Duration> worst;
  std::vector<absl::Duration> stop;
  std::vector<absl::Duration> start;
};

absl::Duration Quantile(std::vector<absl::Duration> times, double share) {
  std::sort(times.begin(), times.end());
  const size_t last = times.size() - 1;
  return times[static_cast<size_t>(share * static_cast<double>(last))];
}

void Print(const char* kind, const char* what,
           const std::vector<absl::Duration>& times) {
  std::printf("%-8s %-22s median %6.1f   p95 %6.1f   max %6.1f ms\n", kind,
              what, absl::ToDoubleMilliseconds(Quantile(times, 0.5)),
              absl::ToDoubleMilliseconds(Quantile(times, 0.95)),
              absl::ToDoubleMilliseconds(Quantile(times, 1)));
}

void Print(const char* kind, const Times& times) {
  Print(kind, "outage", times.probe);
  Print(kind, "longest call of any", times.worst);
  Print(kind, "until it has gone", times.stop);
  Print(kind, "until the next accepts", times.start);
}

// Returns the calls that failed.
uint64_t RestartOnce(bool planned, DaemonProcess* daemon, CrewProcess* crew,
                     Times* times) {
  absl::SleepFor(absl::GetFlag(FLAGS_apart));
  uint64_t failed = crew->Next().failed;
  const absl::Time begun = absl::Now();
  if (planned) {
    if (daemon->Terminate() != 0) ++failed;
  } else {
    daemon->Kill();
  }
  const absl::Time gone = absl::Now();
  daemon->Restart();
  times->stop.push_back(gone - begun);
  times->start.push_back(absl::Now() - gone);
  const CrewProcess::Report report = crew->Next();
  times->probe.push_back(report.probe);
  times->worst.push_back(report.worst);
  return failed + report.failed;
}

int Run() {
  DaemonProcess daemon({"--capacity_bytes=2GiB", "--default_ttl=0"},
                       testing::Runfile("server/warmpoold"));
  testing::RawClient idle(daemon.target());
  for (int i = 0; i < absl::GetFlag(FLAGS_leases); ++i) {
    idle.MustLease(testing::RawClient::LeaseOf(1));
  }
  CrewProcess crew(daemon.target(), absl::GetFlag(FLAGS_pause));
  Times planned;
  Times killed;
  uint64_t failed = 0;
  for (int i = 0; i < absl::GetFlag(FLAGS_restarts); ++i) {
    failed += RestartOnce(/*planned=*/true, &daemon, &crew, &planned);
    failed += RestartOnce(/*planned=*/false, &daemon, &crew, &killed);
  }
  if (crew.Finish() != 0) ++failed;
  Print("planned", planned);
  Print("killed", killed);
  std::printf("outage, planned / killed: median %.2f, max %.2f\n",
              absl::FDivDuration(Quantile(planned.probe, 0.5),
                                 Quantile(killed.probe, 0.5)),
              absl::FDivDuration(Quantile(planned.probe, 1),
                                 Quantile(killed.probe, 1)));
  std::printf("failed calls: %llu\n", static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return warmpool::Run();
}
