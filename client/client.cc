#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cache/lease_cache.h"
#include "client/channels/channel_member.h"
#include "client/leases/buffer_pages.h"
#include "client/leases/connection.h"
#include "client/leases/lease_source.h"
#include "client/leases/mapped_lease.h"
#include "client/rpc/conversion.h"
#include "client/warmpool.h"
#include "core/base/clock.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {
namespace {

constexpr absl::Duration kLongestWait = absl::Hours(24);

// Whether any buffer of the size will do, as those of the lease cache.
bool IsAnyBuffer(const LeaseOptions& options) {
  return !options.name.has_value() && !options.ttl.has_value() &&
         !options.zeroed;
}

}  // namespace

Client::Client(std::shared_ptr<Connection> connection,
               std::shared_ptr<LeaseCache> lease_cache)
    : connection_(std::move(connection)),
      lease_cache_(std::move(lease_cache)) {}

Client::~Client() { Close(); }

Client::Client(Client&&) noexcept = default;

Client& Client::operator=(Client&& other) noexcept {
  if (this == &other) return *this;
  Close();
  connection_ = std::move(other.connection_);
  lease_cache_ = std::move(other.lease_cache_);
  return *this;
}

absl::StatusOr<Client> Client::Connect(const std::string& target,
                                       ClientOptions options) {
  absl::StatusOr<std::shared_ptr<Connection>> connection = Connection::Open(
      target, {.deadline = options.deadline,
               .renew_leases = options.renew_leases,
               .busy_poll = options.busy_poll,
               .trusted = {.named = options.daemon_uid},
               .mapping_scope = {.forked_children = options.inherit_on_fork,
                                 .core_dumps = options.core_dumps}});
  if (!connection.ok()) return connection.status();
  std::shared_ptr<LeaseCache> cache;
  if (options.lease_cache_bytes > 0) {
    cache = LeaseCache::Make(*connection, &LinuxSystemCalls::Get(),
                             &MonotonicClock::Get(),
                             {.max_bytes = options.lease_cache_bytes,
                              .idle = options.lease_cache_idle,
                              .renewed = options.renew_leases,
                              .prefetch = options.prefetch});
    const absl::Status prepared = cache->Prepare();
    if (!prepared.ok()) {
      cache->Shut();
      return prepared;
    }
    (*connection)->OnTrim([cache = cache.get()](uint64_t wanted_bytes) {
      cache->TrimSoon(wanted_bytes);
    });
  }
  return Client(*std::move(connection), std::move(cache));
}

void Client::Close() {
  // Null once moved from.
  if (connection_ != nullptr) connection_->EndAttachThens();
  if (lease_cache_ == nullptr || lease_cache_->forked()) return;
  connection_->OnTrim(nullptr);
  lease_cache_->Shut();
}

absl::StatusOr<Buffer> Client::Lease(uint64_t bytes, LeaseOptions options) {
  if (lease_cache_ != nullptr && IsAnyBuffer(options)) {
    if (MappedLease* const lease = lease_cache_->Take(bytes)) {
      return Buffer(lease, lease->segment.data(), bytes);
    }
  }
  return LeaseFromDaemon(bytes, options);
}

absl::StatusOr<Buffer> Client::LeaseFromDaemon(uint64_t bytes,
                                               const LeaseOptions& options) {
  v1::LeaseRequest request;
  request.set_size_bytes(bytes);
  if (options.name.has_value()) request.set_name(*options.name);
  if (options.ttl.has_value()) {
    *request.mutable_ttl() = DurationToWire(*options.ttl);
  }
  request.set_require_zeroed(options.zeroed);
  absl::StatusOr<HeldLease> held =
      connection_->Lease(std::move(request), [this] {
        // What is missing may be what lies idle here.
        return lease_cache_ != nullptr && lease_cache_->ReleaseAll();
      });
  const absl::StatusOr<MappedLease*> lease = Map(connection_, std::move(held));
  if (lease_cache_ != nullptr && IsAnyBuffer(options)) {
    if (lease.ok()) {
      lease_cache_->Adopt(*lease);
    } else {
      lease_cache_->Failed(bytes);
    }
  }
  if (!lease.ok()) return lease.status();
  return Buffer(*lease, (*lease)->segment.data(),
                (*lease)->granted.size_bytes());
}

namespace {

absl::StatusOr<v1::AttachRequest> ToRequest(const std::string& name,
                                            const AttachOptions& options) {
  if (options.wait < absl::ZeroDuration() || options.wait > kLongestWait) {
    return absl::InvalidArgumentError(absl::StrCat(
        "wait of ", absl::FormatDuration(options.wait), " is not within 0 and ",
        absl::FormatDuration(kLongestWait), ": attach again after that"));
  }
  v1::AttachRequest request;
  request.set_name(name);
  if (options.ttl.has_value()) {
    *request.mutable_ttl() = DurationToWire(*options.ttl);
  }
  request.set_access(options.writable ? v1::ACCESS_SHARED_WRITABLE
                                      : v1::ACCESS_READ_ONLY);
  if (options.owner_uid.has_value()) {
    request.set_owner_uid(*options.owner_uid);
  }
  if (options.wait > absl::ZeroDuration()) {
    *request.mutable_wait() = DurationToWire(options.wait);
  }
  return request;
}

}  // namespace

absl::StatusOr<Buffer> Client::Attach(const std::string& name,
                                      AttachOptions options) {
  const absl::StatusOr<v1::AttachRequest> request = ToRequest(name, options);
  if (!request.ok()) return request.status();
  return MapBuffer(connection_, connection_->Attach(*request));
}

void Client::AttachAsync(
    const std::string& name, AttachOptions options,
    std::function<void(absl::StatusOr<Buffer>)> on_attached) {
  const absl::StatusOr<v1::AttachRequest> request = ToRequest(name, options);
  if (!request.ok()) return on_attached(request.status());
  connection_->AttachAsync(
      *request,
      // It lives until all of these were called.
      [connection = std::weak_ptr<Connection>(connection_),
       on_attached = std::move(on_attached)](absl::StatusOr<HeldLease> held) {
        on_attached(MapBuffer(connection.lock(), std::move(held)));
      });
}

absl::StatusOr<Buffer> Client::Claim(const std::string& ticket,
                                     ClaimOptions options) {
  v1::ClaimRequest request;
  request.set_ticket(ticket);
  if (options.ttl.has_value()) {
    *request.mutable_ttl() = DurationToWire(*options.ttl);
  }
  return MapBuffer(connection_, connection_->Claim(request));
}

absl::StatusOr<Buffer> Client::MapBuffer(std::shared_ptr<Connection> connection,
                                         absl::StatusOr<HeldLease> held) {
  const absl::StatusOr<MappedLease*> lease =
      Map(std::move(connection), std::move(held));
  if (!lease.ok()) return lease.status();
  return Buffer(*lease, (*lease)->segment.data(),
                (*lease)->granted.size_bytes());
}

absl::StatusOr<MappedLease*> Client::Map(std::shared_ptr<Connection> connection,
                                         absl::StatusOr<HeldLease> held) {
  if (!held.ok()) return held.status();
  absl::StatusOr<std::unique_ptr<MappedLease>> lease = MappedLease::Map(
      &LinuxSystemCalls::Get(), std::move(connection), *std::move(held));
  if (!lease.ok()) return lease.status();
  return lease->release();
}

Channel Client::OpenChannel(std::string name, ChannelOptions options) {
  return Channel(
      ChannelMember::Make(std::move(name), connection_,
                          &LinuxSystemCalls::Get(), &MonotonicClock::Get(),
                          {.idle = options.idle,
                           .take_within = options.take_within,
                           .limits = {.max_buffers = options.max_buffers,
                                      .max_bytes = options.max_bytes}}));
}

LeaseCacheStats Client::lease_cache_stats() const {
  return lease_cache_ == nullptr ? LeaseCacheStats() : lease_cache_->stats();
}

absl::StatusOr<v1::GetStatsResponse> Client::GetStats() {
  return connection_->GetStats();
}

absl::Status Client::WatchStats(
    absl::Duration interval,
    const std::function<bool(const v1::GetStatsResponse&)>& on_stats) {
  return connection_->WatchStats(interval, on_stats);
}

absl::Status Client::WatchBuffers(
    const std::string& name_prefix,
    const std::function<bool(const v1::BufferEvent&)>& on_event) {
  return connection_->WatchBuffers(name_prefix, on_event);
}

absl::StatusOr<std::vector<v1::Buffer>> Client::ListBuffers(
    v1::ListBuffersRequest filter) {
  return ListAll(std::move(filter), [this](const v1::ListBuffersRequest& page) {
    return connection_->ListBuffers(page);
  });
}

absl::StatusOr<v1::ListHoldersResponse> Client::ListHolders(uint32_t limit) {
  return connection_->ListHolders(limit);
}

absl::StatusOr<v1::TrimResponse> Client::Trim() { return connection_->Trim(); }

absl::Status Client::Revoke(const std::string& lease_id) {
  return connection_->Revoke(lease_id);
}

absl::StatusOr<v1::ShutdownResponse> Client::Shutdown(bool revoke) {
  return connection_->Shutdown(revoke);
}

absl::StatusOr<v1::SetLogLevelResponse> Client::SetLogLevel(
    v1::LogLevel level) {
  return connection_->SetLogLevel(level);
}

}  // namespace warmpool
