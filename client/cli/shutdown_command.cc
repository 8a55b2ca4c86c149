#include <algorithm>
#include <cstdio>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/daemon_end.h"
#include "client/cli/output.pb.h"
#include "client/cli/shutdown_plan.h"
#include "client/tool/format.h"
#include "core/base/status_macros.h"
#include "core/base/unix_target.h"

ABSL_DECLARE_FLAG(std::string, target);
ABSL_DECLARE_FLAG(bool, dry_run);

ABSL_FLAG(bool, revoke, false,
          "Revoke every lease and end every segment, mapped or not. Otherwise "
          "leased segments stay for the next daemon");
ABSL_FLAG(bool, nowait, false, "Return before the daemon has ended");
ABSL_FLAG(absl::Duration, timeout, absl::Seconds(60),
          "How long to wait for the daemon's end");

namespace warmpool {
namespace {

constexpr uint32_t kMostHolders = 1000;
// A daemon that ends sooner needs no word about it.
constexpr absl::Duration kQuietFor = absl::Seconds(1);

absl::Status TellPlan(AdminCalls& admin, const v1::GetStatsResponse& stats,
                      bool revoke) {
  ASSIGN_OR_RETURN(const v1::ListHoldersResponse holders,
                   admin.ListHolders(kMostHolders));
  const cli::ShutdownPlan plan = MakeShutdownPlan(stats, holders, revoke);
  Print(plan, ShutdownPlanText(plan));
  return absl::OkStatus();
}

// False: it is still there.
bool AwaitEnd(DaemonEnd* daemon, int pid, absl::Duration timeout) {
  const absl::Duration quiet = std::min(timeout, kQuietFor);
  if (daemon->Await(quiet)) return true;
  if (timeout <= quiet) return false;
  std::fprintf(stderr,
               "warmpool: waiting up to %s for the daemon (pid %d) to end\n",
               FormatAge(timeout).c_str(), pid);
  return daemon->Await(timeout - quiet);
}

absl::Status Stop(AdminCalls& admin, const v1::GetStatsResponse& stats,
                  const std::string& socket_path, bool revoke) {
  const absl::Duration timeout = absl::GetFlag(FLAGS_timeout);
  const bool waits = !absl::GetFlag(FLAGS_nowait);
  DaemonEnd daemon(socket_path, stats.shm_dir(), stats.pid());
  ASSIGN_OR_RETURN(const v1::ShutdownResponse response, admin.Shutdown(revoke));
  cli::ShutdownReport report;
  report.set_live_leases(response.live_leases());
  report.set_revoked_leases(response.revoked_leases());
  report.set_stopped(waits && AwaitEnd(&daemon, stats.pid(), timeout));
  Print(
      report,
      absl::StrCat(report.stopped() ? "the daemon has stopped: "
                                    : "the daemon is stopping: ",
                   FormatCounts({{"live leases", report.live_leases()},
                                 {"of them revoked", report.revoked_leases()}}),
                   "\n"));
  if (report.stopped() || !waits) return absl::OkStatus();
  return absl::DeadlineExceededError(
      absl::StrCat("the daemon (pid ", stats.pid(), ") is still there after ",
                   absl::FormatDuration(timeout),
                   ": with --drain_timeout it waits for leases to be released "
                   "(warmpool list "
                   "shows them), until a second warmpool shutdown"));
}

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool shutdown takes no arguments");
  }
  if (absl::GetFlag(FLAGS_timeout) <= absl::ZeroDuration()) {
    return UsageError(absl::StrCat(
        "--timeout=", absl::FormatDuration(absl::GetFlag(FLAGS_timeout)),
        " is no time to wait: give a positive one, or --nowait"));
  }
  std::string target = absl::GetFlag(FLAGS_target);
  if (target.empty()) target = DefaultTarget();
  const absl::StatusOr<std::string> socket_path = SocketPathOf(target);
  if (!socket_path.ok()) return UsageError(socket_path.status().message());
  ASSIGN_OR_RETURN(const std::shared_ptr<AdminCalls> admin, ConnectAdmin());
  ASSIGN_OR_RETURN(const v1::GetStatsResponse stats, admin->GetStats());
  const bool revoke = absl::GetFlag(FLAGS_revoke);
  return absl::GetFlag(FLAGS_dry_run)
             ? TellPlan(*admin, stats, revoke)
             : Stop(*admin, stats, *socket_path, revoke);
}

}  // namespace

Command ShutdownCommand() {
  return {
      .name = "shutdown",
      .arguments = "",
      .summary = "stops the daemon, or tells what that would lose",
      .help =
          "Stops the daemon, and returns when it is gone, so that another can "
          "start; the next\none takes up what is leased. If its "
          "--drain_timeout says so, it grants no further\nlease and waits for "
          "those live first. Exit code 1: it is still there after "
          "--timeout.\nOnly for root, the daemon's user and its "
          "administrators.\n\nWith --dry-run nothing is stopped: it tells what "
          "the next daemon takes up, what is\nlost, and who holds how much.\n\n"
          "  warmpool shutdown --dry-run\n"
          "  warmpool shutdown --timeout=5m\n",
      .flags = {"revoke", "nowait", "timeout", "dry_run"},
      .run = Run};
}

}  // namespace warmpool
