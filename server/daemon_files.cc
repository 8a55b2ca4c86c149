#include "server/daemon_files.h"

#include <fstream>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "core/base/byte_size.h"
#include "core/base/status_macros.h"
#include "core/engine/unmap_batch.h"
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

// Tells one run of the machine from another (proc(5)): what a journal says of
// processes and of monotonic times holds within one. Empty: not known.
std::string BootId() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

// Nothing of it can fail.
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

void LogDamage(const std::string& damage, const absl::Status& kept,
               const std::string& shm_dir) {
  spdlog::error(
      "journal damaged, leases after the damage are recovered only if their "
      "clients assert them reason={} kept={}",
      LogValue(damage),
      LogValue(kept.ok()
                   ? absl::StrCat(shm_dir, "/private/", Journal::kDamagedName)
                   : ""));
  if (!kept.ok()) {
    spdlog::error("damaged journal could not be kept reason={}",
                  LogValue(kept.message()));
  }
}

void LogHugePages(const SegmentDirectory& directory) {
  if (!directory.huge_page_support().ok()) {
    spdlog::warn("huge pages method=none reason={}",
                 LogValue(directory.huge_page_support().message()));
    return;
  }
  switch (directory.huge_page_method()) {
    case HugePages::Method::kNone:
      spdlog::info("huge pages method=none reason=\"--huge_pages=never\"");
      break;
    case HugePages::Method::kCollapse:
      spdlog::info("huge pages method=collapse from={}",
                   LogValue(FormatByteSize(kHugePageSize)));
      break;
    case HugePages::Method::kMount:
      spdlog::info("huge pages method=mount from={}",
                   LogValue(FormatByteSize(kHugePageSize)));
      break;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<DaemonFiles>> DaemonFiles::Open(
    const std::string& shm_dir, const std::string& purpose,
    SegmentDirectory::Options options, const Deps& deps) {
  std::unique_ptr<DaemonFiles> files(new DaemonFiles(deps.calls));
  options.end_window = [calls = deps.calls](Segment window) {
    UnmapBatch(calls, {UnmapBatch::Drain::kInline}).Detach(std::move(window));
  };
  ASSIGN_OR_RETURN(files->directory_,
                   SegmentDirectory::Open(shm_dir, purpose, deps.calls,
                                          deps.random, options));
  LogHugePages(*files->directory_);
  absl::StatusOr<std::unique_ptr<Journal>> journal =
      Journal::Open(files->directory_->private_directory_fd(), BootId(),
                    Journal::Options(), deps.journal_calls, &files->replay_);
  if (!journal.ok()) return files->InPrivate(journal.status());
  files->journal_ = *std::move(journal);
  return files;
}

DaemonFiles::~DaemonFiles() {
  for (Segment& segment : leftovers_) {
    UnmapBatch(&calls_, {UnmapBatch::Drain::kInline})
        .Detach(std::move(segment));
  }
}

absl::Status DaemonFiles::InPrivate(const absl::Status& status) const {
  return absl::Status(
      status.code(),
      absl::StrCat(directory_->path(), "/private: ", status.message()));
}

absl::Status DaemonFiles::FindLeftovers(size_t max_segment_bytes) {
  ASSIGN_OR_RETURN(leftovers_, directory_->FindLeftovers(
                                   SizeClasses(max_segment_bytes), &unknown_));
  return absl::OkStatus();
}

uint64_t DaemonFiles::held_bytes() const {
  uint64_t held = directory_->overhead_bytes();
  for (const Segment& segment : leftovers_) held += segment.bytes();
  return held;
}

absl::Status DaemonFiles::TakeOver(HolderRegistry* holders, Pool* pool) {
  const absl::Status begun = journal_->Begin();
  if (!begun.ok()) return InPrivate(begun);
  LogFound();
  RecoverLeases(replay_, std::exchange(leftovers_, {}), holders, pool);
  replay_ = Journal::Replay();
  taken_over_ = true;
  return absl::OkStatus();
}

void DaemonFiles::LogFound() const {
  if (!replay_.damage.empty()) {
    LogDamage(replay_.damage, journal_->kept_aside(), directory_->path());
  }
  for (const Segment& segment : leftovers_) {
    if (!SegmentDirectory::IsStray(segment)) continue;
    spdlog::warn("unknown file, ended once nobody has it file={} bytes={}",
                 LogValue(directory_->PathOf(segment)), segment.bytes());
  }
  for (const std::string& name : unknown_) {
    spdlog::warn("not a segment, left alone file={}",
                 LogValue(absl::StrCat(directory_->path(), "/", name)));
  }
}

}  // namespace warmpool
