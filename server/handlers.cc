#include "server/handlers.h"

#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/conversion.h"
#include "server/stats.h"

namespace warmpool {

Handlers::Handlers(Pool* pool, SegmentDirectory* directory,
                   const SystemCalls* calls, const Clock* clock,
                   StopFunction stop)
    : pool_(*pool),
      directory_(*directory),
      calls_(*calls),
      clock_(*clock),
      started_at_(clock->Now()),
      stop_(std::move(stop)) {}

absl::Status Handlers::Lease(HolderId holder, const v1::LeaseRequest& request,
                             v1::LeaseResponse* response) {
  const absl::StatusOr<LeaseRequest> converted = FromProto(request);
  if (!converted.ok()) return Refused(converted.status());
  const absl::StatusOr<LeaseGrant> grant = pool_.Lease(holder, *converted);
  if (!grant.ok()) return grant.status();
  *response->mutable_lease() = ToProto(*grant);
  return absl::OkStatus();
}

absl::Status Handlers::Attach(HolderId holder,
                              const v1::AttachRequest& request,
                              v1::AttachResponse* response) {
  const absl::StatusOr<AttachRequest> converted = FromProto(request);
  if (!converted.ok()) return Refused(converted.status());
  const absl::StatusOr<LeaseGrant> grant = pool_.Attach(holder, *converted);
  if (!grant.ok()) return grant.status();
  *response->mutable_lease() = ToProto(*grant);
  return absl::OkStatus();
}

absl::Status Handlers::Refused(const absl::Status& status) {
  pool_.NoteRefused(status);
  return status;
}

absl::Status Handlers::Release(HolderId holder,
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

absl::Status Handlers::Renew(HolderId holder, const v1::RenewRequest& request,
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

absl::Status Handlers::Assert(HolderId holder,
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

absl::Status Handlers::ListBuffers(HolderId holder,
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

absl::Status Handlers::GetStats(HolderId, const v1::GetStatsRequest&,
                                v1::GetStatsResponse* response) {
  FillStats(pool_.stats(), calls_, response);
  response->set_pid(getpid());
  *response->mutable_uptime() = ToProto(clock_.Now() - started_at_);
  response->set_shm_dir(directory_.path());
  response->mutable_bytes()->set_filesystem_free_bytes(
      directory_.FreeBytes().value_or(0));
  return absl::OkStatus();
}

absl::Status Handlers::Shutdown(HolderId holder,
                                const v1::ShutdownRequest& request,
                                v1::ShutdownResponse* response) {
  const absl::Status permitted = pool_.RequireAdmin(holder, "stop the daemon");
  if (!permitted.ok()) return permitted;
  *response = stop_(request.revoke());
  return absl::OkStatus();
}

v1::SessionReply Handlers::Answer(HolderId holder,
                                  const v1::SessionRequest& request) {
  v1::SessionReply reply;
  reply.set_tag(request.tag());
  absl::Status status;
  switch (request.request_case()) {
    case v1::SessionRequest::kLease:
      status = Lease(holder, request.lease(), reply.mutable_lease());
      break;
    case v1::SessionRequest::kAttach:
      status = Attach(holder, request.attach(), reply.mutable_attach());
      break;
    case v1::SessionRequest::kRelease:
      status = Release(holder, request.release(), reply.mutable_release());
      break;
    case v1::SessionRequest::kRenew:
      status = Renew(holder, request.renew(), reply.mutable_renew());
      break;
    case v1::SessionRequest::kAssertion:
      status = Assert(holder, request.assertion(), reply.mutable_assertion());
      break;
    default:
      status = absl::InvalidArgumentError(
          absl::StrCat("session request ", request.tag(),
                       " asks for nothing that this daemon knows"));
  }
  if (!status.ok()) reply.clear_response();
  *reply.mutable_status() = ToProto(status);
  return reply;
}

}  // namespace warmpool
