#include <utility>

#include "client/admin/admin_calls.h"
#include "client/admin/conversion.h"
#include "core/base/status_macros.h"
#include "warmpool/admin.h"

namespace warmpool {

DaemonAdmin::DaemonAdmin(std::shared_ptr<AdminCalls> calls)
    : calls_(std::move(calls)) {}

DaemonAdmin::~DaemonAdmin() = default;

DaemonAdmin::DaemonAdmin(DaemonAdmin&&) noexcept = default;

DaemonAdmin& DaemonAdmin::operator=(DaemonAdmin&&) noexcept = default;

absl::StatusOr<DaemonAdmin> DaemonAdmin::Connect(const std::string& target,
                                                 AdminOptions options) {
  ASSIGN_OR_RETURN(
      std::shared_ptr<AdminCalls> calls,
      AdminCalls::Open(target, {.deadline = options.deadline,
                                .daemon_uid = options.daemon_uid}));
  return DaemonAdmin(std::move(calls));
}

absl::StatusOr<DaemonStats> DaemonAdmin::GetStats() {
  ASSIGN_OR_RETURN(const v1::GetStatsResponse stats, calls_->GetStats());
  return FromWire(stats);
}

absl::Status DaemonAdmin::WatchStats(
    absl::Duration interval,
    const std::function<bool(const DaemonStats&)>& on_stats) {
  return calls_->WatchStats(interval, [&](const v1::GetStatsResponse& stats) {
    return on_stats(FromWire(stats));
  });
}

absl::StatusOr<std::vector<ListedBuffer>> DaemonAdmin::ListBuffers(
    const ListFilter& filter) {
  ASSIGN_OR_RETURN(const std::vector<v1::Buffer> buffers,
                   calls_->ListBuffers(ToWire(filter)));
  std::vector<ListedBuffer> listed;
  listed.reserve(buffers.size());
  for (const v1::Buffer& buffer : buffers) listed.push_back(FromWire(buffer));
  return listed;
}

absl::StatusOr<HolderListing> DaemonAdmin::ListHolders(uint32_t limit) {
  ASSIGN_OR_RETURN(const v1::ListHoldersResponse holders,
                   calls_->ListHolders(limit));
  return FromWire(holders);
}

absl::Status DaemonAdmin::WatchBuffers(
    const std::string& name_prefix,
    const std::function<bool(const BufferEvent&)>& on_event) {
  return calls_->WatchBuffers(name_prefix, [&](const v1::BufferEvent& event) {
    return on_event(FromWire(event));
  });
}

absl::Status DaemonAdmin::Revoke(const std::string& lease_id) {
  return calls_->Revoke(lease_id);
}

absl::StatusOr<TrimResult> DaemonAdmin::Trim() {
  ASSIGN_OR_RETURN(const v1::TrimResponse response, calls_->Trim());
  return FromWire(response);
}

absl::StatusOr<ShutdownResult> DaemonAdmin::Shutdown(bool revoke) {
  ASSIGN_OR_RETURN(const v1::ShutdownResponse response,
                   calls_->Shutdown(revoke));
  return FromWire(response);
}

absl::StatusOr<LogLevel> DaemonAdmin::SetLogLevel(
    std::optional<LogLevel> level) {
  ASSIGN_OR_RETURN(const v1::SetLogLevelResponse response,
                   calls_->SetLogLevel(ToWire(level)));
  return FromWire(response.previous());
}

}  // namespace warmpool
