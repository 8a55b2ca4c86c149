#include "server/rpc/pool_handlers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/clients/authorization.h"
#include "server/log/log_level.h"
#include "server/wire/conversion.h"

namespace warmpool {
namespace {

// For how long no stock is made after a trim: what was given back is to stay
// so.
constexpr absl::Duration kTrimPause = absl::Seconds(10);

absl::Status CheckCount(const char* items, int count) {
  if (count <= kMaxLeasesInRequest) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the request has ", count, " ", items, ", at most ",
                   kMaxLeasesInRequest, " go in one: split it"));
}

}  // namespace

PoolHandlers::PoolHandlers(Pool* pool, StatsSource* stats,
                           ClientReclaim* reclaim, const Clock* clock,
                           Hooks hooks)
    : pool_(*pool),
      stats_(*stats),
      reclaim_(*reclaim),
      clock_(*clock),
      hooks_(std::move(hooks)),
      shared_stats_(stats, pool, clock) {}

std::optional<absl::Status> PoolHandlers::LeaseIfReady(
    HolderId holder, const v1::LeaseRequest& request, RequestProgress* progress,
    v1::LeaseResponse* response) {
  absl::StatusOr<LeaseRequest> converted = FromProto(request);
  if (!converted.ok()) {
    return Refused(holder, request.size_bytes(), converted.status());
  }
  converted->if_ready = true;
  converted->is_last_try = request.if_ready();
  // A client that asks for what is ready makes no further attempt.
  const absl::StatusOr<LeaseGrant> grant =
      pool_.Lease(holder, *converted,
                  request.if_ready() ? nullptr : &progress->reservation);
  if (!grant.ok()) {
    const bool may_be_had =
        absl::IsNotFound(grant.status()) || LacksRoom(grant.status());
    if (may_be_had && !request.if_ready()) return std::nullopt;
    return grant.status();
  }
  *response->mutable_lease() = ToProto(*grant);
  return absl::OkStatus();
}

std::optional<absl::Status> PoolHandlers::Lease(HolderId holder,
                                                const v1::LeaseRequest& request,
                                                Waiter waiter,
                                                v1::LeaseResponse* response) {
  absl::StatusOr<LeaseRequest> converted = FromProto(request);
  if (!converted.ok()) {
    return Refused(holder, request.size_bytes(), converted.status());
  }
  absl::Time& until = waiter.progress->until;
  // A client that asks for what is ready makes no further attempt.
  Reservation* const kept =
      request.if_ready() ? nullptr : &waiter.progress->reservation;
  const bool is_first = until == absl::InfinitePast();
  const uint64_t seen = pool_.returns();
  converted->is_last_try =
      is_first ? reclaim_.idle_bytes() == 0 : clock_.Now() >= until;
  absl::StatusOr<LeaseGrant> grant = pool_.Lease(holder, *converted, kept);
  if (!converted->is_last_try && LacksRoom(grant.status())) {
    if (is_first) until = reclaim_.TrimForRequest(converted->bytes);
    // A wait is long: others may have the name and the quota meanwhile.
    waiter.progress->reservation.GiveUp();
    const absl::StatusOr<Holder> caller = pool_.FindHolder(holder);
    if (caller.ok() &&
        reclaim_.Await(caller->uid, seen, until, std::move(waiter.wake))) {
      return std::nullopt;
    }
    converted->is_last_try = true;
    grant = pool_.Lease(holder, *converted, kept);
  }
  if (!grant.ok()) return grant.status();
  *response->mutable_lease() = ToProto(*grant);
  return absl::OkStatus();
}

absl::Status PoolHandlers::Refused(HolderId holder, uint64_t bytes,
                                   const absl::Status& status) {
  pool_.RecordRefused(holder, bytes, status);
  return status;
}

absl::Status PoolHandlers::Release(HolderId holder,
                                   const v1::ReleaseRequest& request,
                                   v1::ReleaseResponse* response) {
  RETURN_IF_ERROR(CheckCount("leases", request.leases_size()));
  // One malformed id must not keep the others from being released.
  std::vector<absl::Status> statuses(request.leases_size());
  std::vector<LeaseRef> refs;
  std::vector<size_t> positions;
  for (int i = 0; i < request.leases_size(); ++i) {
    const absl::StatusOr<LeaseRef> ref = FromProto(request.leases(i));
    if (ref.ok()) {
      refs.push_back(*ref);
      positions.push_back(i);
    } else {
      statuses[i] = ref.status();
    }
  }
  const absl::Status permitted =
      request.revoke() ? RequireAdmin(pool_.FindHolder(holder), "revoke leases")
                       : absl::OkStatus();
  const std::vector<absl::Status> released =
      permitted.ok() ? pool_.Release(holder, refs, request.revoke())
                     : std::vector<absl::Status>(refs.size(), permitted);
  for (size_t i = 0; i < released.size(); ++i) {
    statuses[positions[i]] = released[i];
  }
  for (const absl::Status& status : statuses) {
    *response->add_results() = ToProto(status);
  }
  return absl::OkStatus();
}

void PoolHandlers::ReleaseQuietly(
    HolderId holder,
    const google::protobuf::RepeatedPtrField<v1::LeaseRef>& leases) {
  std::vector<LeaseRef> refs;
  refs.reserve(leases.size());
  for (const v1::LeaseRef& lease : leases) {
    const absl::StatusOr<LeaseRef> ref = FromProto(lease);
    if (ref.ok()) refs.push_back(*ref);
  }
  pool_.Release(holder, refs, /*revoke=*/false);
}

absl::Status PoolHandlers::Renew(HolderId holder,
                                 const v1::RenewRequest& request,
                                 v1::RenewResponse* response) {
  RETURN_IF_ERROR(CheckCount("renewals", request.renewals_size()));
  for (const v1::RenewRequest::Renewal& renewal : request.renewals()) {
    const absl::StatusOr<absl::Duration> ttl =
        [&]() -> absl::StatusOr<absl::Duration> {
      ASSIGN_OR_RETURN(const LeaseRef ref, FromProto(renewal.lease()));
      ASSIGN_OR_RETURN(const RequestedTtl requested, TtlOf(renewal));
      return pool_.Renew(holder, ref, requested, renewal.size_bytes());
    }();
    v1::RenewResponse::Renewed* const renewed = response->add_renewed();
    *renewed->mutable_result() = ToProto(ttl.status());
    if (ttl.ok()) *renewed->mutable_ttl() = ToProto(*ttl);
  }
  return absl::OkStatus();
}

absl::Status PoolHandlers::Assert(HolderId holder,
                                  const v1::AssertRequest& request,
                                  v1::AssertResponse* response) {
  RETURN_IF_ERROR(CheckCount("leases", request.leases_size()));
  ASSIGN_OR_RETURN(const ClientId client,
                   ClientIdFromProto(request.client_id()));
  for (const v1::AssertRequest::AssertedLease& lease : request.leases()) {
    const absl::StatusOr<absl::Duration> ttl =
        [&]() -> absl::StatusOr<absl::Duration> {
      ASSIGN_OR_RETURN(const AssertedLease asserted, FromProto(lease, client));
      return pool_.Assert(holder, asserted);
    }();
    v1::AssertResponse::Asserted* const asserted = response->add_asserted();
    *asserted->mutable_result() = ToProto(ttl.status());
    if (ttl.ok()) *asserted->mutable_ttl() = ToProto(*ttl);
  }
  return absl::OkStatus();
}

absl::Status PoolHandlers::ListBuffers(HolderId holder,
                                       const v1::ListBuffersRequest& request,
                                       v1::ListBuffersResponse* response) {
  if (request.page_size() > kMaxPageSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("page_size ", request.page_size(), " is above ",
                     kMaxPageSize, ": ask for the next page instead"));
  }
  ASSIGN_OR_RETURN(const ClientId client,
                   ClientIdFromProto(request.client_id()));
  BufferFilter filter;
  filter.name_prefix = request.name_prefix();
  filter.holder_pid = request.holder_pid();
  if (request.has_uid()) filter.uid = request.uid();
  if (client != ClientId()) filter.client = client;
  const uint32_t page_size =
      request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  ASSIGN_OR_RETURN(const BufferPage page,
                   pool_.List(holder, filter, page_size, request.page_token()));
  const absl::StatusOr<Holder> caller = pool_.FindHolder(holder);
  const bool is_admin = caller.ok() && caller->admin;
  for (const BufferListing& listing : page.buffers) {
    *response->add_buffers() = ToProto(listing, holder, is_admin);
  }
  response->set_next_page_token(page.next_page_token);
  return absl::OkStatus();
}

absl::Status PoolHandlers::ListHolders(HolderId holder,
                                       const v1::ListHoldersRequest& request,
                                       v1::ListHoldersResponse* response) {
  if (request.limit() > kMaxPageSize) {
    return absl::InvalidArgumentError(
        absl::StrCat("limit ", request.limit(), " is above ", kMaxPageSize,
                     ": the largest holders come first"));
  }
  const absl::StatusOr<Holder> caller = pool_.FindHolder(holder);
  if (!caller.ok()) return caller.status();
  std::vector<v1::HolderUsage> holders =
      stats_.Holders([&caller](const Holder& other) {
        return caller->admin || other.uid == caller->uid;
      });
  response->set_total_holders(holders.size());
  const size_t limit =
      request.limit() == 0 ? kDefaultPageSize : request.limit();
  holders.resize(std::min(holders.size(), limit));
  response->mutable_holders()->Add(holders.begin(), holders.end());
  for (const UnheldLease& lease : pool_.UnheldLeases(
           caller->admin ? std::nullopt : std::optional<uid_t>(caller->uid),
           limit)) {
    *response->add_unheld() = ToProto(lease);
  }
  return absl::OkStatus();
}

absl::Status PoolHandlers::GetStats(HolderId holder, const v1::GetStatsRequest&,
                                    v1::GetStatsResponse* response) {
  stats_.Fill(response);
  const absl::StatusOr<Holder> caller = pool_.FindHolder(holder);
  if (!caller.ok()) {
    ShowRefusalOf(std::nullopt, response);
  } else if (!caller->admin) {
    ShowRefusalOf(pool_.LastRefusalOf(caller->uid), response);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> PoolHandlers::WatchBuffers(
    HolderId holder, const v1::WatchBuffersRequest& request,
    std::function<void()> wake) {
  return pool_.Watch(holder, request.name_prefix(), std::move(wake));
}

absl::Status PoolHandlers::Trim(HolderId holder, const v1::TrimRequest&,
                                v1::TrimResponse* response) {
  RETURN_IF_ERROR(
      RequireAdmin(pool_.FindHolder(holder), "trim what others keep warm"));
  response->set_asked_of_clients_bytes(reclaim_.TrimAndWait());
  response->set_ended_bytes(
      pool_.ReleaseUnused(EvictionReason::kTrimmed, kTrimPause));
  return absl::OkStatus();
}

absl::Status PoolHandlers::Shutdown(HolderId holder,
                                    const v1::ShutdownRequest& request,
                                    v1::ShutdownResponse* response) {
  RETURN_IF_ERROR(RequireAdmin(pool_.FindHolder(holder), "stop the daemon"));
  *response = hooks_.prepare_stop(request.revoke());
  return absl::OkStatus();
}

absl::Status PoolHandlers::SetLogLevel(HolderId holder,
                                       const v1::SetLogLevelRequest& request,
                                       v1::SetLogLevelResponse* response) {
  RETURN_IF_ERROR(RequireAdmin(pool_.FindHolder(holder), "set the log level"));
  ASSIGN_OR_RETURN(const v1::LogLevel previous,
                   ExchangeLogLevel(request.level()));
  response->set_previous(previous);
  return absl::OkStatus();
}

}  // namespace warmpool
