#include "server/pool_handlers.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/conversion.h"
#include "server/log_level.h"
#include "server/stats.h"

namespace warmpool {

PoolHandlers::PoolHandlers(Pool* pool, SegmentDirectory* directory,
                           const SystemCalls* calls, const Clock* clock,
                           Hooks hooks)
    : pool_(*pool),
      directory_(*directory),
      calls_(*calls),
      clock_(*clock),
      started_at_(clock->Now()),
      hooks_(std::move(hooks)) {}

std::optional<absl::Status> PoolHandlers::LeaseIfReady(
    HolderId holder, const v1::LeaseRequest& request,
    v1::LeaseResponse* response) {
  absl::StatusOr<LeaseRequest> converted = FromProto(request);
  if (!converted.ok()) return Refused(converted.status());
  converted->if_ready = true;
  converted->is_last_try = request.if_ready();
  const absl::StatusOr<LeaseGrant> grant = pool_.Lease(holder, *converted);
  if (!grant.ok()) {
    const bool may_be_had = absl::IsNotFound(grant.status()) ||
                            absl::IsResourceExhausted(grant.status());
    if (may_be_had && !request.if_ready()) return std::nullopt;
    return grant.status();
  }
  *response->mutable_lease() = ToProto(*grant);
  return absl::OkStatus();
}

absl::Status PoolHandlers::Lease(HolderId holder,
                                 const v1::LeaseRequest& request,
                                 v1::LeaseResponse* response) {
  absl::StatusOr<LeaseRequest> converted = FromProto(request);
  if (!converted.ok()) return Refused(converted.status());
  const absl::StatusOr<LeaseGrant> grant =
      LeaseWithTrim(holder, *std::move(converted));
  if (!grant.ok()) return grant.status();
  *response->mutable_lease() = ToProto(*grant);
  return absl::OkStatus();
}

absl::StatusOr<LeaseGrant> PoolHandlers::LeaseWithTrim(HolderId holder,
                                                       LeaseRequest request) {
  uint64_t seen = pool_.returns();
  request.is_last_try = hooks_.idle_in_clients() == 0;
  absl::StatusOr<LeaseGrant> grant = pool_.Lease(holder, request);
  if (request.is_last_try || !absl::IsResourceExhausted(grant.status())) {
    return grant;
  }
  hooks_.trim_clients(request.bytes);
  const absl::Time until = clock_.Now() + kTrimWithin;
  while (!request.is_last_try) {
    seen = pool_.AwaitReturn(seen, until);
    request.is_last_try = clock_.Now() >= until;
    grant = pool_.Lease(holder, request);
    if (!absl::IsResourceExhausted(grant.status())) break;
  }
  return grant;
}

absl::Status PoolHandlers::Refused(const absl::Status& status) {
  pool_.NoteRefused(status);
  return status;
}

absl::Status PoolHandlers::Release(HolderId holder,
                                   const v1::ReleaseRequest& request,
                                   v1::ReleaseResponse* response) {
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
  const std::vector<absl::Status> released =
      pool_.Release(holder, refs, request.revoke());
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
  for (const v1::RenewRequest::Renewal& renewal : request.renewals()) {
    const absl::StatusOr<absl::Duration> ttl =
        [&]() -> absl::StatusOr<absl::Duration> {
      const absl::StatusOr<LeaseRef> ref = FromProto(renewal.lease());
      if (!ref.ok()) return ref.status();
      const absl::StatusOr<RequestedTtl> requested = TtlOf(renewal);
      if (!requested.ok()) return requested.status();
      return pool_.Renew(holder, *ref, *requested);
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
  const absl::StatusOr<ClientId> client =
      ClientIdFromProto(request.client_id());
  if (!client.ok()) return client.status();
  for (const v1::AssertRequest::AssertedLease& lease : request.leases()) {
    const absl::StatusOr<absl::Duration> ttl =
        [&]() -> absl::StatusOr<absl::Duration> {
      const absl::StatusOr<AssertedLease> asserted = FromProto(lease, *client);
      if (!asserted.ok()) return asserted.status();
      return pool_.Assert(holder, *asserted);
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
  const absl::StatusOr<ClientId> client =
      ClientIdFromProto(request.client_id());
  if (!client.ok()) return client.status();
  BufferFilter filter;
  filter.name_prefix = request.name_prefix();
  filter.holder_pid = request.holder_pid();
  if (request.has_uid()) filter.uid = request.uid();
  if (*client != ClientId()) filter.client = *client;
  const uint32_t page_size =
      request.page_size() == 0 ? kDefaultPageSize : request.page_size();
  const absl::StatusOr<BufferPage> page =
      pool_.List(holder, filter, page_size, request.page_token());
  if (!page.ok()) return page.status();
  const bool is_admin = pool_.RequireAdmin(holder, "see all ids").ok();
  for (const BufferListing& listing : page->buffers) {
    *response->add_buffers() = ToProto(listing, holder, is_admin);
  }
  response->set_next_page_token(page->next_page_token);
  return absl::OkStatus();
}

absl::Status PoolHandlers::GetStats(HolderId, const v1::GetStatsRequest&,
                                    v1::GetStatsResponse* response) {
  FillStats(pool_.stats(), calls_, response);
  response->set_pid(getpid());
  *response->mutable_uptime() = ToProto(clock_.Now() - started_at_);
  response->set_shm_dir(directory_.path());
  FillHugePages(directory_, response->mutable_huge_pages());
  FillMemoryPressure(hooks_.memory_pressure(),
                     response->mutable_memory_pressure());
  v1::ByteAccount& bytes = *response->mutable_bytes();
  bytes.set_filesystem_free_bytes(
      directory_.FilesystemSpace().value_or(FilesystemBytes()).free);
  // A report may be older than the release of what it tells of.
  bytes.set_idle_in_clients_bytes(
      std::min<uint64_t>(hooks_.idle_in_clients(), bytes.leased_bytes()));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> PoolHandlers::WatchBuffers(
    HolderId holder, const v1::WatchBuffersRequest& request,
    std::function<void()> wake) {
  return pool_.Watch(holder, request.name_prefix(), std::move(wake));
}

absl::Status PoolHandlers::Shutdown(HolderId holder,
                                    const v1::ShutdownRequest& request,
                                    v1::ShutdownResponse* response) {
  const absl::Status permitted = pool_.RequireAdmin(holder, "stop the daemon");
  if (!permitted.ok()) return permitted;
  *response = hooks_.stop(request.revoke());
  return absl::OkStatus();
}

absl::Status PoolHandlers::SetLogLevel(HolderId holder,
                                       const v1::SetLogLevelRequest& request,
                                       v1::SetLogLevelResponse* response) {
  const absl::Status permitted =
      pool_.RequireAdmin(holder, "set the log level");
  if (!permitted.ok()) return permitted;
  const absl::StatusOr<v1::LogLevel> previous =
      ExchangeLogLevel(request.level());
  if (!previous.ok()) return previous.status();
  response->set_previous(*previous);
  return absl::OkStatus();
}

}  // namespace warmpool
