#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/buffer_lease.h"
#include "client/connection.h"
#include "client/conversion.h"
#include "client/warmpool.h"

namespace warmpool {
namespace {

// The most that the daemon gives; it keeps answers under 1 MiB by itself.
constexpr uint32_t kBuffersPerPage = 1000;

}  // namespace

Client::Client(std::shared_ptr<Connection> connection)
    : connection_(std::move(connection)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

absl::StatusOr<Client> Client::Connect(const std::string& target,
                                       ClientOptions options) {
  absl::StatusOr<std::shared_ptr<Connection>> connection = Connection::Open(
      target,
      {.deadline = options.deadline, .renew_leases = options.renew_leases});
  if (!connection.ok()) return connection.status();
  return Client(*std::move(connection));
}

absl::StatusOr<Buffer> Client::Lease(uint64_t bytes, LeaseOptions options) {
  v1::LeaseRequest request;
  request.set_size_bytes(bytes);
  if (options.name.has_value()) request.set_name(*options.name);
  if (options.ttl.has_value()) {
    *request.mutable_ttl() = DurationToWire(*options.ttl);
  }
  request.set_require_zeroed(options.zeroed);
  return Map(connection_->Lease(std::move(request)));
}

absl::StatusOr<Buffer> Client::Attach(const std::string& name,
                                      AttachOptions options) {
  v1::AttachRequest request;
  request.set_name(name);
  if (options.ttl.has_value()) {
    *request.mutable_ttl() = DurationToWire(*options.ttl);
  }
  request.set_access(options.writable ? v1::ACCESS_SHARED_WRITABLE
                                      : v1::ACCESS_READ_ONLY);
  return Map(connection_->Attach(std::move(request)));
}

absl::StatusOr<Buffer> Client::Map(absl::StatusOr<HeldLease> held) const {
  if (!held.ok()) return held.status();
  absl::StatusOr<std::unique_ptr<Buffer::Lease>> lease =
      Buffer::Lease::Map(connection_, std::move(held->granted));
  if (!lease.ok()) return lease.status();
  return Buffer(*std::move(lease));
}

absl::StatusOr<v1::GetStatsResponse> Client::GetStats() {
  return connection_->GetStats();
}

absl::Status Client::WatchStats(
    absl::Duration interval,
    const std::function<bool(const v1::GetStatsResponse&)>& on_stats) {
  return connection_->WatchStats(interval, on_stats);
}

absl::StatusOr<std::vector<v1::Buffer>> Client::ListBuffers(
    v1::ListBuffersRequest filter) {
  filter.set_page_size(kBuffersPerPage);
  filter.clear_page_token();
  std::vector<v1::Buffer> buffers;
  for (;;) {
    absl::StatusOr<v1::ListBuffersResponse> page =
        connection_->ListBuffers(filter);
    if (!page.ok()) return page.status();
    std::move(page->mutable_buffers()->begin(), page->mutable_buffers()->end(),
              std::back_inserter(buffers));
    if (page->next_page_token().empty()) return buffers;
    filter.set_page_token(page->next_page_token());
  }
}

absl::Status Client::Revoke(const std::string& lease_id) {
  return connection_->Revoke(lease_id);
}

absl::StatusOr<v1::ShutdownResponse> Client::Shutdown(bool revoke) {
  return connection_->Shutdown(revoke);
}

}  // namespace warmpool
