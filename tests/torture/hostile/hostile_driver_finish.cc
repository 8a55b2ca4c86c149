// How a run of the HostileDriver ends: in order, and with nothing left.
#include <signal.h>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "tests/core/memory/scratch_directory.h"
#include "tests/torture/hostile/hostile_driver.h"

namespace warmpool::torture {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);

absl::Time Now() { return MonotonicClock::Get().Now(); }

}  // namespace

absl::Status HostileDriver::Finish() {
  finishing_ = true;
  absl::Status status = EndAttackers();
  const absl::Time gone = Now();
  if (status.ok()) status = EndBystanders();
  if (status.ok()) status = AwaitNothingLeft(gone);
  if (status.ok()) status = EndDaemon();
  if (status.ok()) status = latencies_.Compare(options_.limits);
  return status;
}

absl::Status HostileDriver::EndAttackers() {
  SignalAttackers(SIGKILL);
  return Await("killed attackers are still there",
               [this] { return attackers_.empty(); });
}

absl::Status HostileDriver::EndBystanders() {
  for (const Process& bystander : bystanders_) bystander->CloseInput();
  return Await("the bystanders do not end",
               [this] { return done_ == options_.bystanders; });
}

absl::Status HostileDriver::AwaitNothingLeft(absl::Time since) {
  std::string left = "the daemon does not answer";
  const absl::Status status =
      Await("there is something left of clients that have ended", [&] {
        const auto stats = daemon_.admin().GetStats();
        if (!stats.ok()) return false;
        const uint64_t leases = stats->leases().live_leases();
        const uint64_t waits = stats->leases().waiting_attaches();
        const uint64_t quarantined = stats->quarantine().quarantined_segments();
        left = absl::StrCat(leases, " leases, ", waits, " waits, ", quarantined,
                            " segments in quarantine");
        return leases == 0 && waits == 0 && quarantined == 0;
      });
  counts_.cleared_after = Now() - since;
  if (!absl::IsAborted(status)) return status;
  return absl::AbortedError(absl::StrCat(status.message(), ": ", left));
}

absl::Status HostileDriver::EndDaemon() {
  const absl::Status status = daemon_.Terminate();
  if (!status.ok()) return status;
  const size_t files = CountSegmentFiles(options_.daemon.shm_dir);
  if (files == 0) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat(
      files, " segments are left in the directory of a daemon that has ended"));
}

absl::Status HostileDriver::Await(absl::string_view what,
                                  const std::function<bool()>& condition) {
  const absl::Time end = Now() + kPatience;
  while (!condition()) {
    const absl::Status status = Turn();
    if (!status.ok()) return status;
    if (Now() > end) {
      return absl::AbortedError(
          absl::StrCat(what, " after ", absl::FormatDuration(kPatience)));
    }
  }
  return absl::OkStatus();
}

}  // namespace warmpool::torture
