#include <unistd.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/flags/declare.h"
#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/doctor/clock.h"
#include "client/cli/doctor/container.h"
#include "client/cli/doctor/daemon.h"
#include "client/cli/doctor/directory.h"
#include "client/cli/doctor/limits.h"
#include "client/cli/doctor/logind.h"
#include "client/cli/doctor/memory.h"
#include "client/cli/doctor/quarantine.h"
#include "client/cli/doctor/report.h"
#include "client/cli/doctor/socket.h"
#include "client/cli/doctor/trial.h"
#include "core/base/byte_size.h"
#include "core/base/status_macros.h"
#include "core/base/unix_target.h"

ABSL_DECLARE_FLAG(std::string, target);

ABSL_FLAG(
    std::string, shm_dir, "",
    "The daemon's directory. Default: /dev/shm/warmpool-UID (doctor: that "
    "of the daemon that answers)");
ABSL_FLAG(uint64_t, buffers, 1000, "Buffers that are to be live at a time");
ABSL_FLAG(warmpool::ByteSize, capacity_bytes, {},
          "The daemon's planned --capacity_bytes. Default: that of the daemon "
          "that answers, else what it would take by itself");

namespace warmpool {
namespace {

using doctor::Checks;

void Append(Checks more, Checks* checks) {
  for (doctor::Check& check : more) checks->push_back(std::move(check));
}

// What is known of the daemon fills in what the flags leave open.
doctor::Plan MakePlan(const doctor::SocketReadings& socket,
                      const std::optional<doctor::DaemonReadings>& daemon) {
  doctor::Plan plan;
  plan.shm_dir = absl::GetFlag(FLAGS_shm_dir);
  plan.buffers = absl::GetFlag(FLAGS_buffers);
  plan.daemon_uid = socket.served() ? socket.uid : geteuid();
  plan.daemon_runs = socket.served();
  if (socket.pid > 0) plan.daemon_pid = socket.pid;
  if (const uint64_t bytes = absl::GetFlag(FLAGS_capacity_bytes).bytes) {
    plan.capacity_bytes = bytes;
    plan.locked_bytes = bytes;
  }
  if (daemon.has_value() && daemon->stats.ok()) {
    if (plan.shm_dir.empty()) plan.shm_dir = daemon->stats->shm_dir();
    if (!plan.capacity_bytes.has_value()) {
      plan.capacity_bytes = daemon->stats->bytes().capacity_bytes();
    }
  }
  if (plan.shm_dir.empty()) plan.shm_dir = DefaultShmDirectory();
  plan.shm_dir =
      std::filesystem::absolute(plan.shm_dir).lexically_normal().string();
  if (plan.shm_dir.back() == '/') plan.shm_dir.pop_back();
  return plan;
}

absl::StatusOr<Checks> Examine() {
  std::string target = absl::GetFlag(FLAGS_target);
  if (target.empty()) target = DefaultTarget();
  const absl::StatusOr<std::string> path = SocketPathOf(target);
  if (!path.ok()) return UsageError(path.status().message());
  const doctor::SocketReadings socket = doctor::ReadSocket(*path);
  std::optional<doctor::DaemonReadings> daemon;
  // Connecting waits for a daemon that is restarting; here it need not exist.
  if (socket.served())
    daemon = doctor::AskDaemon(ConnectAdmin(), &ConnectClient);

  const doctor::Plan plan = MakePlan(socket, daemon);
  const doctor::DirectoryReadings directory =
      doctor::ReadDirectory(plan.shm_dir);
  Checks checks = doctor::CheckDirectory(directory, plan);
  if (directory.exists || directory.parent_exists) {
    Append(doctor::CheckTrial(doctor::Try(directory, plan.shm_dir)), &checks);
  }
  Append(doctor::CheckLimits(plan), &checks);
  Append(doctor::CheckMemory(plan), &checks);
  checks.push_back(doctor::CheckRemoveIpc(plan));
  // A directory that others may pass is one of a daemon that serves them.
  Append(doctor::CheckContainer(
             doctor::ReadContainer(plan), plan,
             plan.daemon_runs && directory.exists && directory.mode == 0711),
         &checks);
  checks.push_back(doctor::CheckClock(doctor::ReadClock()));
  checks.push_back(doctor::CheckSocket(socket, directory.tenant));
  if (daemon.has_value()) Append(doctor::CheckDaemon(*daemon), &checks);
  if (daemon.has_value() && daemon->stats.ok()) {
    checks.push_back(
        doctor::CheckQuarantine(doctor::ReadQuarantine(*daemon->stats)));
  }
  return checks;
}

absl::Status Run(absl::Span<const std::string> arguments) {
  if (!arguments.empty()) {
    return UsageError("warmpool doctor takes no arguments");
  }
  ASSIGN_OR_RETURN(const Checks checks, Examine());
  const cli::DoctorReport report = doctor::MakeReport(checks);
  Print(report, doctor::ReportText(report));
  if (report.failed() == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      report.failed(), " of ", report.checks_size(), " checks failed"));
}

}  // namespace

Command DoctorCommand() {
  return {
      .name = "doctor",
      .arguments = "",
      .summary = "checks this machine, before installation and after",
      .help =
          "Looks at what a daemon and its clients need: the directory and its "
          "filesystem,\nhuge pages (really tried), limits against the planned "
          "buffers, memory and control\ngroups, logind's RemoveIPC, "
          "capabilities, clock, socket. It needs no daemon; run it\nas the "
          "daemon's user. Of a daemon that answers it leases a buffer for a "
          "moment, and\ntells whether the two share directory and pid "
          "namespace, and which processes keep\nmemory in quarantine. Each "
          "line is ok, warn or\nfail, what was found, and what "
          "mends it. Exit code 1: something failed.\n\n"
          "  warmpool doctor --buffers=20000\n",
      .flags = {"shm_dir", "buffers", "capacity_bytes"},
      .run = Run};
}

}  // namespace warmpool
