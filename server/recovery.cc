#include "server/recovery.h"

#include <fstream>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "server/log/log_value.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// 0: the process is gone, or can't be told from others. Its leases end, or
// their client asserts them.
HolderId FindHolder(const LeaseRecord& record, HolderRegistry* holders) {
  if (record.holder_instance == 0) return 0;
  const absl::StatusOr<HolderId> holder =
      holders->Recover(record.holder_pid, record.holder_uid,
                       record.holder_instance, record.holder_command);
  if (holder.ok()) return *holder;
  spdlog::info(
      "holder of an earlier daemon is gone pid={} uid={} command={} reason={}",
      record.holder_pid, record.holder_uid, LogValue(record.holder_command),
      LogValue(holder.status().message()));
  return 0;
}

}  // namespace

std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

void RecoverLeases(const Journal::Replay& replay,
                   std::vector<Segment> leftovers, HolderRegistry* holders,
                   Pool* pool) {
  using Process = std::tuple<pid_t, uid_t, uint64_t>;
  absl::flat_hash_map<Process, HolderId> known;
  std::vector<RecoveredLease> leases;
  leases.reserve(replay.leases.size());
  for (const LeaseRecord& record : replay.leases) {
    const Process process(record.holder_pid, record.holder_uid,
                          record.holder_instance);
    const auto [it, is_new] = known.try_emplace(process, 0);
    if (is_new) it->second = FindHolder(record, holders);
    leases.push_back({record, it->second});
  }
  const Recovered recovery =
      pool->Recover(leases, replay.last_generation, std::move(leftovers));
  for (const std::string& name : recovery.left_alone) {
    spdlog::warn("can't be set aside, left alone file={}", LogValue(name));
  }
  if (recovery.leases + recovery.ended_leases + recovery.leftovers == 0) return;
  spdlog::warn(
      "taken over from an earlier daemon leases={} ended_leases={} "
      "segments_without_lease={} epoch={}",
      recovery.leases, recovery.ended_leases, recovery.leftovers, replay.epoch);
}

}  // namespace warmpool
