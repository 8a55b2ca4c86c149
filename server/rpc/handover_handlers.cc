// How buffers go from one holder to another.
#include <utility>

#include "core/base/status_macros.h"
#include "server/rpc/pool_handlers.h"
#include "server/wire/conversion.h"

namespace warmpool {

std::optional<absl::Status> PoolHandlers::Attach(
    HolderId holder, const v1::AttachRequest& request, Waiter waiter,
    v1::AttachResponse* response) {
  const absl::StatusOr<AttachRequest> converted = FromProto(request);
  if (!converted.ok()) {
    return Refused(holder, /*bytes=*/0, converted.status());
  }
  const absl::StatusOr<absl::Duration> patience = WaitOf(request);
  if (!patience.ok()) {
    return Refused(holder, /*bytes=*/0, patience.status());
  }
  // Before it waits: whoever wakes it makes the request again.
  absl::Time& until = waiter.progress->until;
  if (until == absl::InfinitePast()) {
    until = clock_.Now() + *patience;
  }
  AttachWait wait = {waiter.id, until, std::move(waiter.wake)};
  const std::optional<absl::StatusOr<LeaseGrant>> grant =
      pool_.AttachOrWait(holder, *converted, &wait);
  if (!grant.has_value()) return std::nullopt;
  if (!grant->ok()) return grant->status();
  *response->mutable_lease() = ToProto(**grant);
  return absl::OkStatus();
}

absl::Status PoolHandlers::Seal(HolderId holder, const v1::SealRequest& request,
                                v1::SealResponse*) {
  ASSIGN_OR_RETURN(const LeaseRef lease, FromProto(request.lease()));
  ASSIGN_OR_RETURN(const SealRequest converted, FromProto(request));
  return pool_.Seal(holder, lease, converted);
}

absl::Status PoolHandlers::MakeTicket(HolderId holder,
                                      const v1::MakeTicketRequest& request,
                                      v1::MakeTicketResponse* response) {
  ASSIGN_OR_RETURN(const LeaseRef lease, FromProto(request.lease()));
  ASSIGN_OR_RETURN(const LeaseId ticket, TicketFromProto(request.ticket()));
  ASSIGN_OR_RETURN(const RequestedTtl requested, TtlOf(request));
  ASSIGN_OR_RETURN(
      const absl::Duration ttl,
      pool_.MakeTicket(holder, lease, ticket, requested, request.size_bytes()));
  *response->mutable_ttl() = ToProto(ttl);
  return absl::OkStatus();
}

absl::Status PoolHandlers::Claim(HolderId holder,
                                 const v1::ClaimRequest& request,
                                 v1::ClaimResponse* response) {
  const absl::StatusOr<ClaimRequest> converted = FromProto(request);
  if (!converted.ok()) {
    return Refused(holder, /*bytes=*/0, converted.status());
  }
  ASSIGN_OR_RETURN(const LeaseGrant grant, pool_.Claim(holder, *converted));
  *response->mutable_lease() = ToProto(grant);
  return absl::OkStatus();
}

}  // namespace warmpool
