#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "client/cache/lease_cache.h"
#include "client/channels/channel_member.h"
#include "client/leases/connection.h"
#include "client/leases/lease_source.h"
#include "client/leases/mapped_lease.h"
#include "client/rpc/conversion.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/memory/kernel/system_calls.h"
#include "warmpool/warmpool.h"

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
  ASSIGN_OR_RETURN(
      std::shared_ptr<Connection> connection,
      Connection::Open(
          target, {.deadline = options.deadline,
                   .renew_leases = options.renew_leases,
                   .busy_poll = options.busy_poll,
                   .trusted = {.named = options.daemon_uid},
                   .mapping_scope = {.forked_children = options.inherit_on_fork,
                                     .core_dumps = options.core_dumps}}));
  std::shared_ptr<LeaseCache> cache;
  if (options.lease_cache_bytes > 0) {
    cache = LeaseCache::Make(connection, &LinuxSystemCalls::Get(),
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
    connection->OnTrim([cache = cache.get()](uint64_t wanted_bytes) {
      cache->TrimSoon(wanted_bytes);
    });
  }
  return Client(std::move(connection), std::move(cache));
}

void Client::Close() {
  // Null once moved from.
  if (connection_ != nullptr) connection_->EndAttachThens();
  if (lease_cache_ == nullptr || lease_cache_->forked()) return;
  connection_->OnTrim(nullptr);
  lease_cache_->Shut();
}

absl::StatusOr<Buffer> Client::Lease(uint64_t bytes, LeaseOptions options) {
  if (lease_cache_ == nullptr || !IsAnyBuffer(options)) {
    return LeaseFromDaemon(bytes, options);
  }
  ASSIGN_OR_RETURN(MappedLease* const lease, lease_cache_->Lease(bytes));
  return Buffer(lease, lease->segment.data(), bytes);
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
  return MapBuffer(connection_, connection_->Lease(std::move(request), [this] {
    // What is missing may be what lies idle here.
    return lease_cache_ != nullptr && lease_cache_->ReleaseAll();
  }));
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
  ASSIGN_OR_RETURN(v1::AttachRequest request, ToRequest(name, options));
  return MapBuffer(connection_, connection_->Attach(std::move(request)));
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
  if (!held.ok()) return held.status();
  ASSIGN_OR_RETURN(std::unique_ptr<MappedLease> lease,
                   MappedLease::Map(&LinuxSystemCalls::Get(),
                                    std::move(connection), *std::move(held)));
  std::byte* const data = lease->segment.data();
  const size_t size = lease->granted.size_bytes();
  return Buffer(lease.release(), data, size);
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

}  // namespace warmpool
