// How the model forgets: a run of hours remembers no more than one of minutes.
#include "absl/container/flat_hash_set.h"
#include "tests/torture/model/handovers.h"
#include "tests/torture/model/model.h"

namespace warmpool::torture {

void Model::Prune(const Snapshot& snapshot, absl::Time now) {
  const absl::Time forget = now - kMemory;
  absl::erase_if(leases_, [&](const auto& item) {
    const Lease& lease = item.second;
    return lease.phase == Phase::kUnreleased &&
           now > MustBeGone(lease.last_sign, lease.ttl);
  });
  for (auto& [number, client] : clients_) {
    std::erase_if(client.requests, [&](const auto& item) {
      const Request& request = item.second;
      return request.unanswered.has_value() &&
             now > MustBeGone(*request.unanswered, request.ttl);
    });
    // No lease lives for so long.
    std::erase_if(client.stops,
                  [&](const Span& stop) { return stop.to < forget; });
  }
  std::erase_if(clients_,
                [&](const auto& item) { return item.second.died < forget; });
  absl::erase_if(client_of_pid_, [&](const auto& item) {
    return !clients_.contains(item.second);
  });
  absl::erase_if(released_,
                 [&](const auto& item) { return item.second < forget; });
  absl::flat_hash_set<uint64_t> listed;
  for (const auto& [id, lease] : leases_) listed.insert(lease.generation);
  for (const Snapshot::Lease& lease : snapshot.leases) {
    listed.insert(lease.generation);
  }
  absl::erase_if(files_, [&](const auto& item) {
    return item.second.seen < forget && !listed.contains(item.first);
  });
  hand_overs_->Prune(listed, now);
}

size_t Model::remembered() const {
  size_t requests = 0;
  for (const auto& [number, client] : clients_) {
    requests += client.requests.size() + client.stops.size();
  }
  return clients_.size() + requests + client_of_pid_.size() + leases_.size() +
         released_.size() + files_.size() + forks_.size() +
         hand_overs_->remembered();
}

void Model::HandOvers::Prune(const absl::flat_hash_set<uint64_t>& listed,
                             absl::Time now) {
  const absl::Time forget = now - kMemory;
  const auto over = [&](const auto& item) {
    return item.second.last_sign < forget &&
           !listed.contains(item.second.generation);
  };
  absl::erase_if(seals_, over);
  absl::erase_if(tickets_, over);
  absl::erase_if(by_generation_, [&](const auto& item) {
    return !seals_.contains(item.second) && !tickets_.contains(item.second);
  });
  absl::erase_if(shared_, [&](const auto& item) {
    return item.second < forget && !model_.leases_.contains(item.first);
  });
}

size_t Model::HandOvers::remembered() const {
  size_t claims = 0;
  for (const auto& [id, ticket] : tickets_) claims += ticket.open_claims.size();
  return seals_.size() + tickets_.size() + claims + by_generation_.size() +
         shared_.size();
}

}  // namespace warmpool::torture
