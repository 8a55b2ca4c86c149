#include "client/admin/admin_calls.h"

#include <utility>

#include "client/admin/watching.h"
#include "client/rpc/buffer_pages.h"
#include "client/rpc/conversion.h"
#include "client/rpc/daemon_channel.h"
#include "client/rpc/local_channel.h"
#include "client/rpc/local_socket.h"
#include "core/base/status_macros.h"
#include "core/base/thread.h"

namespace warmpool {
namespace {

using Stub = DaemonChannel::Stub;

}  // namespace

struct AdminCalls::Channel {
  // The first: gRPC may go with the last member of a connection.
  const GrpcUse grpc_use;
  DaemonChannel daemon;
};

absl::StatusOr<std::shared_ptr<AdminCalls>> AdminCalls::Open(
    const std::string& target, const Options& options) {
  ASSIGN_OR_RETURN(const std::string socket_path,
                   DaemonChannel::CheckTarget(target));
  std::shared_ptr<AdminCalls> calls;
  {
    // gRPC starts threads of its own.
    const SignalsBlocked blocked;
    calls = std::shared_ptr<AdminCalls>(
        new AdminCalls(target, socket_path, options), [](AdminCalls* unused) {
          // What it owns can't be taken apart in a forked child, where gRPC's
          // threads don't run.
          if (unused->channel_->daemon.CheckProcess().ok()) delete unused;
        });
  }
  RETURN_IF_ERROR(calls->channel_->daemon.WaitForDaemon(options.deadline));
  return calls;
}

AdminCalls::AdminCalls(const std::string& target,
                       const std::string& socket_path, const Options& options)
    : deadline_(options.deadline),
      channel_(new Channel{
          .grpc_use = {},
          .daemon = {target, socket_path, {}, {.named = options.daemon_uid}}}) {
}

AdminCalls::~AdminCalls() = default;

template <typename Request, typename Response, typename Rpc>
absl::StatusOr<Response> AdminCalls::Ask(Rpc rpc, const Request& request) {
  DaemonChannel::Effort effort{.deadline = deadline_};
  return channel_->daemon.Ask<Request, Response>(rpc, request, &effort);
}

absl::StatusOr<v1::GetStatsResponse> AdminCalls::GetStats() {
  return Ask<v1::GetStatsRequest, v1::GetStatsResponse>(&Stub::GetStats, {});
}

absl::StatusOr<std::vector<v1::Buffer>> AdminCalls::ListBuffers(
    v1::ListBuffersRequest filter) {
  return ListAll(std::move(filter), [this](const v1::ListBuffersRequest& page) {
    return Ask<v1::ListBuffersRequest, v1::ListBuffersResponse>(
        &Stub::ListBuffers, page);
  });
}

absl::StatusOr<v1::ListHoldersResponse> AdminCalls::ListHolders(
    uint32_t limit) {
  v1::ListHoldersRequest request;
  request.set_limit(limit);
  return Ask<v1::ListHoldersRequest, v1::ListHoldersResponse>(
      &Stub::ListHolders, request);
}

absl::Status AdminCalls::WatchStats(
    absl::Duration interval,
    const std::function<bool(const v1::GetStatsResponse&)>& on_stats) {
  return warmpool::WatchStats(&channel_->daemon, interval, on_stats);
}

absl::Status AdminCalls::WatchBuffers(
    const std::string& name_prefix,
    const std::function<bool(const v1::BufferEvent&)>& on_event) {
  return warmpool::WatchBuffers(&channel_->daemon, name_prefix, on_event);
}

absl::Status AdminCalls::Revoke(const std::string& lease_id) {
  v1::ReleaseRequest request;
  request.add_leases()->set_lease_id(lease_id);
  request.set_revoke(true);
  DaemonChannel::Effort effort{.deadline = deadline_};
  ASSIGN_OR_RETURN(
      const v1::ReleaseResponse response,
      (channel_->daemon.Ask<v1::ReleaseRequest, v1::ReleaseResponse>(
          &Stub::Release, request, &effort)));
  return ResultOfRelease(response, effort.repeated);
}

absl::StatusOr<v1::TrimResponse> AdminCalls::Trim() {
  return Ask<v1::TrimRequest, v1::TrimResponse>(&Stub::Trim, {});
}

absl::StatusOr<v1::SetLogLevelResponse> AdminCalls::SetLogLevel(
    v1::LogLevel level) {
  v1::SetLogLevelRequest request;
  request.set_level(level);
  return Ask<v1::SetLogLevelRequest, v1::SetLogLevelResponse>(
      &Stub::SetLogLevel, request);
}

absl::StatusOr<v1::ShutdownResponse> AdminCalls::Shutdown(bool revoke) {
  v1::ShutdownRequest request;
  request.set_revoke(revoke);
  DaemonChannel::Effort effort{
      .deadline = deadline_, .wait_for_daemon = false, .repeat = false};
  return channel_->daemon.Ask<v1::ShutdownRequest, v1::ShutdownResponse>(
      &Stub::Shutdown, request, &effort);
}

}  // namespace warmpool
