// How a lease of this client's is sealed, or becomes a ticket.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "client/leases/connection.h"
#include "client/rpc/conversion.h"
#include "core/base/status_macros.h"

namespace warmpool {
namespace {

v1::LeaseRef RefOf(const v1::GrantedLease& lease) {
  v1::LeaseRef ref;
  ref.set_lease_id(lease.lease_id());
  ref.set_generation(lease.generation());
  return ref;
}

}  // namespace

absl::Status Connection::Seal(const v1::GrantedLease& lease,
                              v1::SealRequest seal) {
  const uint64_t size_bytes = seal.size_bytes();
  v1::SessionRequest request;
  *request.mutable_seal() = std::move(seal);
  *request.mutable_seal()->mutable_lease() = RefOf(lease);
  Effort effort = FullEffort();
  const absl::Status sealed = CallInSession(request, &effort).status();
  // What is asserted to a later daemon.
  if (sealed.ok()) known_.Sealed(lease.lease_id(), size_bytes);
  return sealed;
}

absl::Status Connection::MakeTicket(const v1::GrantedLease& lease,
                                    v1::MakeTicketRequest make_ticket) {
  v1::SessionRequest request;
  *request.mutable_make_ticket() = std::move(make_ticket);
  *request.mutable_make_ticket()->mutable_lease() = RefOf(lease);
  Effort effort = FullEffort();
  const absl::Status made = CallInSession(request, &effort).status();
  if (!made.ok() && effort.answered) return made;
  known_.Drop(lease.lease_id());
  keeper_.Drop(lease.lease_id());
  if (!made.ok()) reconciler_.RecordForgotten();
  return made;
}

absl::Status Connection::TellSize(const v1::GrantedLease& lease,
                                  uint64_t size_bytes) {
  // Before any lock: the fork may have come while it was held.
  RETURN_IF_ERROR(channel_.CheckProcess());
  known_.Resize(lease.lease_id(), size_bytes);
  for (bool again = false;; again = true) {
    const std::optional<KnownLeases::Known> known =
        known_.FindLive(lease.lease_id());
    if (!known.has_value()) return known_.VerdictOn(lease.lease_id());
    const absl::Status told = renewals_.TellSizes(
        {*known}, channel_.silent() ? SmallEffort() : FullEffort());
    // The reconciler does it once the daemon answers again.
    if (absl::IsUnavailable(told) || absl::IsDeadlineExceeded(told)) {
      reconciler_.RecordLoss();
    }
    if (!absl::IsNotFound(told) || again) return told;
    // It was granted by a daemon before this one. An assertion that was made
    // before the size was known may take it up first, so the size is told
    // again.
    RETURN_IF_ERROR(reconciliation_.AssertOne(lease.lease_id()));
  }
}

}  // namespace warmpool
