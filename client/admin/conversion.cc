#include "client/admin/conversion.h"

#include "client/rpc/conversion.h"

namespace warmpool {
namespace {

DaemonStats::Bytes BytesFrom(const v1::ByteAccount& bytes) {
  return {.capacity_bytes = bytes.capacity_bytes(),
          .leased_bytes = bytes.leased_bytes(),
          .retained_bytes = bytes.retained_bytes(),
          .batched_bytes = bytes.batched_bytes(),
          .stock_bytes = bytes.stock_bytes(),
          .quarantined_bytes = bytes.quarantined_bytes(),
          .overhead_bytes = bytes.overhead_bytes(),
          .free_bytes = bytes.free_bytes(),
          .filesystem_free_bytes = bytes.filesystem_free_bytes(),
          .idle_in_clients_bytes = bytes.idle_in_clients_bytes()};
}

DaemonStats::Leases LeasesFrom(const v1::LeaseCounts& leases) {
  return {.live_leases = leases.live_leases(),
          .live_buffers = leases.live_buffers(),
          .holders = leases.holders(),
          .waiting_attaches = leases.waiting_attaches(),
          .granted_warm = leases.granted_warm(),
          .granted_stock = leases.granted_stock(),
          .granted_fresh = leases.granted_fresh(),
          .granted_attached = leases.granted_attached(),
          .refused_invalid = leases.refused_invalid(),
          .refused_exhausted = leases.refused_exhausted(),
          .refused_name_taken = leases.refused_name_taken(),
          .refused_draining = leases.refused_draining(),
          .refused_other = leases.refused_other(),
          .released = leases.released(),
          .expired = leases.expired(),
          .revoked = leases.revoked(),
          .holder_died = leases.holder_died(),
          .unused = leases.unused(),
          .handed_over = leases.handed_over(),
          .unclaimed = leases.unclaimed(),
          .linger_ended = leases.linger_ended(),
          .renewed = leases.renewed(),
          .recovered = leases.recovered(),
          .asserted = leases.asserted(),
          .sealed = leases.sealed(),
          .tickets = leases.tickets(),
          .claimed = leases.claimed()};
}

DaemonStats::BigCache BigCacheFrom(const v1::BigCacheCounts& bigcache) {
  return {.hits = bigcache.hits(),
          .misses_empty = bigcache.misses_empty(),
          .misses_zeroed = bigcache.misses_zeroed(),
          .retained_segments = bigcache.retained_segments(),
          .evictions = bigcache.evictions()};
}

DaemonStats::Refusal RefusalFrom(const v1::Refusal& refusal) {
  return {.status = absl::Status(static_cast<absl::StatusCode>(refusal.code()),
                                 refusal.message()),
          .age = DurationFromWire(refusal.age()),
          .size_bytes = refusal.size_bytes(),
          .pid = refusal.pid(),
          .uid = refusal.uid(),
          .command = refusal.command()};
}

ListedState StateFrom(v1::LeaseState state) {
  switch (state) {
    case v1::LEASE_STATE_RECOVERING: return ListedState::kRecovering;
    case v1::LEASE_STATE_TICKET: return ListedState::kTicket;
    case v1::LEASE_STATE_LINGERING: return ListedState::kLingering;
    default: return ListedState::kLive;
  }
}

ListedLease LeaseFrom(const v1::BufferLease& lease) {
  return {.lease_id = lease.lease_id(),
          .pid = lease.pid(),
          .uid = lease.uid(),
          .command = lease.command(),
          .age = DurationFromWire(lease.age()),
          .ttl_left = DurationFromWire(lease.ttl_left()),
          .state = StateFrom(lease.state())};
}

BufferEvent::Kind KindFrom(v1::BufferEvent::Kind kind) {
  switch (kind) {
    case v1::BufferEvent::KIND_CREATED: return BufferEvent::Kind::kCreated;
    case v1::BufferEvent::KIND_SEALED: return BufferEvent::Kind::kSealed;
    case v1::BufferEvent::KIND_ENDED: return BufferEvent::Kind::kEnded;
    default: return BufferEvent::Kind::kResync;
  }
}

}  // namespace

DaemonStats FromWire(const v1::GetStatsResponse& stats) {
  DaemonStats all{.pid = stats.pid(),
                  .uptime = DurationFromWire(stats.uptime()),
                  .shm_dir = stats.shm_dir(),
                  .metrics_listen = stats.metrics_listen(),
                  .draining = stats.draining(),
                  .bytes = BytesFrom(stats.bytes()),
                  .leases = LeasesFrom(stats.leases()),
                  .bigcache = BigCacheFrom(stats.bigcache()),
                  .refusals = {}};
  for (const v1::Refusal& refusal : stats.refusals()) {
    all.refusals.push_back(RefusalFrom(refusal));
  }
  return all;
}

ListedBuffer FromWire(const v1::Buffer& buffer) {
  ListedBuffer listed{.name = buffer.name(),
                      .uid = buffer.uid(),
                      .size_bytes = buffer.size_bytes(),
                      .mapped_bytes = buffer.mapped_bytes(),
                      .generation = buffer.generation(),
                      .age = DurationFromWire(buffer.age()),
                      .sealed = buffer.sealed(),
                      .channel = buffer.channel(),
                      .leases = {},
                      .total_leases = buffer.total_leases()};
  for (const v1::BufferLease& lease : buffer.leases()) {
    listed.leases.push_back(LeaseFrom(lease));
  }
  return listed;
}

HolderListing FromWire(const v1::ListHoldersResponse& holders) {
  HolderListing listing{.holders = {},
                        .total_holders = holders.total_holders()};
  for (const v1::HolderUsage& holder : holders.holders()) {
    listing.holders.push_back({.pid = holder.pid(),
                               .uid = holder.uid(),
                               .command = holder.command(),
                               .leases = holder.leases(),
                               .leased_bytes = holder.leased_bytes(),
                               .idle_bytes = holder.idle_bytes()});
  }
  return listing;
}

BufferEvent FromWire(const v1::BufferEvent& event) {
  return {.kind = KindFrom(event.kind()),
          .name = event.name(),
          .uid = event.uid(),
          .generation = event.generation(),
          .size_bytes = event.size_bytes()};
}

TrimResult FromWire(const v1::TrimResponse& response) {
  return {.ended_bytes = response.ended_bytes(),
          .asked_of_clients_bytes = response.asked_of_clients_bytes()};
}

ShutdownResult FromWire(const v1::ShutdownResponse& response) {
  return {.live_leases = response.live_leases(),
          .revoked_leases = response.revoked_leases()};
}

// The two enums have the same order; that of the protocol begins with
// UNSPECIFIED.
LogLevel FromWire(v1::LogLevel level) {
  return level == v1::LOG_LEVEL_UNSPECIFIED
             ? LogLevel::kInfo
             : static_cast<LogLevel>(level - v1::LOG_LEVEL_TRACE);
}

v1::LogLevel ToWire(std::optional<LogLevel> level) {
  return level.has_value() ? static_cast<v1::LogLevel>(v1::LOG_LEVEL_TRACE +
                                                       static_cast<int>(*level))
                           : v1::LOG_LEVEL_UNSPECIFIED;
}

v1::ListBuffersRequest ToWire(const ListFilter& filter) {
  v1::ListBuffersRequest request;
  request.set_name_prefix(filter.name_prefix);
  if (filter.holder_pid.has_value()) {
    request.set_holder_pid(*filter.holder_pid);
  }
  if (filter.uid.has_value()) request.set_uid(*filter.uid);
  return request;
}

}  // namespace warmpool
