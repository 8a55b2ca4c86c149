// How a lease of this client's is sealed, or becomes a ticket.
#include <string>
#include <utility>

#include "client/connection.h"
#include "client/conversion.h"

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
  v1::SessionRequest request;
  *request.mutable_seal() = std::move(seal);
  *request.mutable_seal()->mutable_lease() = RefOf(lease);
  Effort effort = FullEffort();
  const absl::Status sealed = CallInSession(request, &effort).status();
  // What is asserted to a later daemon.
  if (sealed.ok()) known_.Sealed(lease.lease_id());
  return sealed;
}

absl::Status Connection::MakeTicket(const v1::GrantedLease& lease,
                                    const std::string& ticket,
                                    absl::Duration ttl) {
  v1::SessionRequest request;
  v1::MakeTicketRequest& make_ticket = *request.mutable_make_ticket();
  *make_ticket.mutable_lease() = RefOf(lease);
  make_ticket.set_ticket(ticket);
  *make_ticket.mutable_ttl() = DurationToWire(ttl);
  Effort effort = FullEffort();
  const absl::Status made = CallInSession(request, &effort).status();
  if (!made.ok() && effort.answered) return made;
  known_.Drop(lease.lease_id());
  keeper_.Drop(lease.lease_id());
  if (!made.ok()) reconciler_.NoteForgotten();
  return made;
}

}  // namespace warmpool
