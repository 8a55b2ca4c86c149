// What must hold of a LeaseTable between any two calls.
#include "core/base/check.h"
#include "core/pool/lease_table.h"

namespace warmpool {

void LeaseTable::CheckInvariants() const {
  CheckHolders();
  CheckLeases();
  CheckBuffers();
  ended_.CheckInvariants();
}

void LeaseTable::CheckHolders() const {
  size_t held = 0;
  for (const auto& [id, entry] : holders_) {
    held += entry.leases.size();
    uint64_t bytes = 0;
    for (const auto& key : entry.leases) {
      bytes += LeaseOf(std::get<LeaseId>(key)).buffer->segment.bytes();
    }
    WARMPOOL_CHECK(bytes == entry.bytes, "a holder's bytes do not add up");
    WARMPOOL_CHECK(
        holders_by_pid_.contains(std::make_pair(entry.holder.pid, id)),
        "a holder that its pid does not lead to");
  }
  WARMPOOL_CHECK(held == leases_.size(), "holders and leases disagree");
  WARMPOOL_CHECK(holders_.size() == holders_by_pid_.size(), "pid of no holder");
}

void LeaseTable::CheckLeases() const {
  size_t expiring = 0;
  size_t recovering = 0;
  size_t of_clients = 0;
  for (const auto& [id, entry] : leases_) {
    const Lease& lease = *entry;
    WARMPOOL_CHECK(holders_.at(lease.holder).leases.contains(KeyOf(lease)),
                   "a lease that its holder does not know");
    WARMPOOL_CHECK(lease.buffer->leases.contains(id),
                   "a lease that its buffer does not know");
    WARMPOOL_CHECK(
        requests_.at(RequestKey(lease.holder, lease.request_id)) == id,
        "a lease that its request does not know");
    if (lease.client_id != ClientId()) {
      ++of_clients;
      WARMPOOL_CHECK(
          leases_by_client_.at(lease.client_id).contains(KeyOf(lease)),
          "a lease that its client does not lead to");
    }
    if (lease.state == LeaseState::kRecovering) {
      ++recovering;
      WARMPOOL_CHECK(recovering_.contains(RecoveringKeyOf(lease)),
                     "a recovering lease that would not be shown");
    }
    if (lease.expires_at == absl::InfiniteFuture()) continue;
    ++expiring;
    WARMPOOL_CHECK(expiries_.contains(std::make_pair(lease.expires_at, id)),
                   "a lease that would not expire");
  }
  WARMPOOL_CHECK(expiring == expiries_.size(), "expiry of no lease");
  WARMPOOL_CHECK(recovering == recovering_.size(),
                 "recovering leases do not add up");
  for (const auto& [client, leases] : leases_by_client_) {
    WARMPOOL_CHECK(!leases.empty(), "a client that has nothing is kept");
    of_clients -= leases.size();
  }
  WARMPOOL_CHECK(of_clients == 0, "clients and leases disagree");
}

void LeaseTable::CheckBuffers() const {
  size_t buffers = 0;
  size_t leases = 0;
  UnheldCount tickets, lingering;
  for (const auto& [key, buffer] : buffers_) {
    if (buffer == nullptr) continue;
    ++buffers;
    leases += buffer->leases.size();
    WARMPOOL_CHECK(!buffer->leases.empty() || buffer->pins > 0,
                   "a buffer without a lease");
    size_t held = 0;
    for (const LeaseId& id : buffer->leases) {
      const Lease& lease = LeaseOf(id);
      if (lease.kind == LeaseKind::kHeld) ++held;
      for (const auto& [kind, count] :
           {std::pair(LeaseKind::kTicket, &tickets),
            std::pair(LeaseKind::kLingering, &lingering)}) {
        if (lease.kind != kind) continue;
        ++count->leases;
        count->bytes += buffer->segment.bytes();
      }
      WARMPOOL_CHECK(!buffer->sealed || lease.access == Access::kReadOnly,
                     "a lease to write to a sealed buffer");
      WARMPOOL_CHECK(
          lease.kind != LeaseKind::kTicket || buffer->leases.size() == 1,
          "a buffer is held while a ticket for it is out");
    }
    WARMPOOL_CHECK(held == buffer->held_leases,
                   "a buffer's leases do not add up");
    WARMPOOL_CHECK(key == std::make_pair(buffer->uid, buffer->name),
                   "a buffer under another name");
  }
  WARMPOOL_CHECK(buffers == buffer_count_, "buffers do not add up");
  WARMPOOL_CHECK(leases == leases_.size(), "buffers and leases disagree");
  WARMPOOL_CHECK(tickets == tickets_ && lingering == lingering_,
                 "leases that no process has do not add up");
}

}  // namespace warmpool
