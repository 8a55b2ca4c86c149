#include "client/cli/doctor/daemon.h"

#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "client/tool/format.h"
#include "core/base/byte_size.h"

namespace warmpool::doctor {
namespace {

// It ends with the tool in any case.
constexpr absl::Duration kTtl = absl::Seconds(10);

void TryLease(AdminCalls& admin, absl::StatusOr<Client> client,
              DaemonReadings* readings) {
  readings->leased = client.status();
  if (!client.ok()) return;
  absl::StatusOr<Buffer> buffer = client->Lease(4 * kKiB, {.ttl = kTtl});
  readings->leased = buffer.status();
  if (!buffer.ok()) return;
  v1::ListBuffersRequest filter;
  filter.set_name_prefix(buffer->name());
  const absl::StatusOr<std::vector<v1::Buffer>> listed =
      admin.ListBuffers(filter);
  if (listed.ok() && listed->size() == 1 &&
      listed->front().leases_size() == 1) {
    readings->seen_as = listed->front().leases(0).pid();
  }
  readings->leased = buffer->Release();
}

Check Unanswered(const DaemonReadings& readings) {
  const absl::Status& status = readings.stats.status();
  if (absl::IsPermissionDenied(status)) {
    return Fail("daemon", std::string(status.message()),
                absl::StrCat("start a root daemon with --allow_uid=",
                             readings.own_uid));
  }
  return Fail("daemon", std::string(status.message()),
              "journalctl -u warmpool, or where else its log goes, tells more");
}

Check CheckAnswer(const v1::GetStatsResponse& stats) {
  const std::string value =
      absl::StrCat("pid ", stats.pid(), ", up ",
                   FormatAge(absl::Seconds(stats.uptime().seconds())), ", ",
                   FormatByteSize(stats.bytes().capacity_bytes()),
                   ", segments in ", stats.shm_dir());
  if (!stats.draining()) return Ok("daemon", value);
  return Warn("daemon", absl::StrCat(value, ": stopping, and grants no lease"),
              "systemctl start warmpool, once it has stopped");
}

Check CheckLease(const DaemonReadings& readings,
                 const v1::GetStatsResponse& stats) {
  if (readings.leased.ok()) {
    return Ok("lease", "a buffer was leased, mapped and released");
  }
  const std::string why(readings.leased.message());
  if (stats.draining()) {
    return Warn("lease", why, "systemctl start warmpool, once it has stopped");
  }
  if (!readings.directory_seen) {
    return Fail(
        "lease", why,
        absl::StrCat("give this container the daemon's directory: "
                     "docker run -v ",
                     stats.shm_dir(), ":", stats.shm_dir(),
                     ", or a hostPath volume mounted at the same path"));
  }
  return Fail("lease", why, "what the reason says; warmpool stats tells more");
}

Check CheckSight(const DaemonReadings& readings) {
  constexpr char kName[] = "pid_namespace";
  if (!readings.seen_as.has_value()) {
    return Warn(kName, "not known, as there was no lease",
                "mend what keeps this from having a lease");
  }
  if (*readings.seen_as == 0) {
    return Warn(kName,
                "the daemon does not see this process: it learns of its end by "
                "its connection alone, and its leases outlive a restart of the "
                "daemon only by its own word",
                "docker run --pid=host, or hostPID: true for the daemon's pod");
  }
  if (*readings.seen_as == readings.own_pid) {
    return Ok(kName, "the daemon sees this process");
  }
  return Ok(kName, absl::StrCat("the daemon sees this process as pid ",
                                *readings.seen_as, ", here it is pid ",
                                readings.own_pid));
}

}  // namespace

DaemonReadings AskDaemon(absl::StatusOr<std::shared_ptr<AdminCalls>> admin,
                         absl::FunctionRef<absl::StatusOr<Client>()> connect) {
  DaemonReadings readings;
  readings.own_pid = getpid();
  readings.own_uid = geteuid();
  if (admin.ok()) {
    readings.stats = (*admin)->GetStats();
  } else {
    readings.stats = admin.status();
  }
  if (!readings.stats.ok()) return readings;
  std::error_code unseen;
  readings.directory_seen =
      std::filesystem::is_directory(readings.stats->shm_dir(), unseen);
  TryLease(**admin, connect(), &readings);
  return readings;
}

Checks CheckDaemon(const DaemonReadings& readings) {
  if (!readings.stats.ok()) return {Unanswered(readings)};
  return {CheckAnswer(*readings.stats), CheckLease(readings, *readings.stats),
          CheckSight(readings)};
}

}  // namespace warmpool::doctor
