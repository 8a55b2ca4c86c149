#include "tests/torture/model/handovers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace warmpool::torture {

Model::Verdict Model::HandOvers::OnAsking(int client, const Report& report) {
  switch (DeedOf(report)) {
    case Deed::kAttach:
      shared_[report.lease] = report.time;
      return std::nullopt;
    case Deed::kClaim: {
      Ticket& ticket = tickets_[report.lease];
      ticket.open_claims.emplace(client, report.request);
      ticket.last_sign = report.time;
      return std::nullopt;
    }
    case Deed::kLease:
    case Deed::kRead: return std::nullopt;
    case Deed::kSeal:
    case Deed::kTicket: break;
  }
  const auto found = model_.leases_.find(report.lease);
  if (found == model_.leases_.end()) {
    return absl::StrCat("client ", client,
                        " has no lease for: ", report.ToLine());
  }
  Lease& lease = found->second;
  by_generation_[lease.generation] = report.lease;
  if (report.kind == Report::Kind::kSealing) {
    Seal& seal = seals_[report.lease];
    seal.generation = lease.generation;
    seal.linger = report.ttl;
    seal.last_sign = report.time;
    return std::nullopt;
  }
  lease.phase = Phase::kGiving;
  lease.last_sign = report.time;
  tickets_[report.lease] = {
      .giver = client,
      .generation = lease.generation,
      .bytes = lease.bytes,
      .inode = lease.inode,
      .ttl = report.ttl,
      .asked = report.time,
      .forked = model_.clients_[client].last_fork >= lease.asked,
      .last_sign = report.time};
  return std::nullopt;
}

Model::Verdict Model::HandOvers::OnDone(int client, const Report& report) {
  if (model_.clients_[client].requests.erase(report.request) == 0) {
    return absl::StrCat("an answer to no request: ", report.ToLine());
  }
  if (report.kind == Report::Kind::kSealed) {
    ++model_.counts_.sealed;
    Seal& seal = seals_[report.lease];
    seal.sealed = report.time;
    seal.last_sign = report.time;
    return std::nullopt;
  }
  ++model_.counts_.tickets;
  Ticket& ticket = tickets_[report.lease];
  ticket.made = true;
  ticket.answered = report.time;
  ticket.last_sign = report.time;
  model_.leases_.erase(report.lease);
  model_.released_[report.lease] = report.time;
  return std::nullopt;
}

Model::Verdict Model::HandOvers::OnGranted(int client, const Request& request,
                                           const Report& report) {
  switch (request.deed) {
    case Deed::kClaim: return OnClaimed(client, request, report);
    case Deed::kRead: ++model_.counts_.read; return JudgeRead(request, report);
    case Deed::kAttach: {
      const auto seal = seals_.find(request.stamper);
      if (seal == seals_.end() || !seal->second.sealed.has_value() ||
          *seal->second.sealed >= request.asked) {
        return std::nullopt;
      }
      return absl::StrCat("client ", client, " may write to the buffer of ",
                          "lease ", request.stamper.ToHex(), ", which was ",
                          "sealed before");
    }
    default: return std::nullopt;
  }
}

Model::Verdict Model::HandOvers::OnClaimed(int client, const Request& request,
                                           const Report& report) {
  Ticket& ticket = tickets_[request.stamper];
  ticket.open_claims.erase({client, report.request});
  const std::string name =
      absl::StrCat("client ", client, " claimed the ticket of lease ",
                   request.stamper.ToHex());
  if (!ticket.made) return absl::StrCat(name, ", which made none");
  if (ticket.claimed_by != RandomId()) {
    return absl::StrCat(name, ", as lease ", ticket.claimed_by.ToHex(),
                        " did before");
  }
  if (request.asked > model_.MustBeGone(*ticket.answered, ticket.ttl)) {
    return absl::StrCat(name, ", made ",
                        absl::FormatDuration(request.asked - *ticket.answered),
                        " ago for ", absl::FormatDuration(ticket.ttl));
  }
  if (report.inode != ticket.inode || report.bytes != ticket.bytes ||
      report.generation == ticket.generation) {
    return absl::StrCat(name, " of ", ticket.bytes, " bytes, inode ",
                        ticket.inode, ", generation ", ticket.generation,
                        ", and has ", report.ToLine());
  }
  ++model_.counts_.claimed;
  ticket.claimed_by = report.lease;
  return std::nullopt;
}

void Model::HandOvers::OnRefused(int client, const Request& request,
                                 const Report& report) {
  if (request.deed == Deed::kSeal || request.deed == Deed::kTicket) {
    const auto lease = model_.leases_.find(request.stamper);
    if (lease != model_.leases_.end()) {
      lease->second.phase = Phase::kHeld;
      // A ticket that is refused renews the lease.
      lease->second.last_sign = report.time;
    }
    if (request.deed == Deed::kTicket) tickets_.erase(request.stamper);
  }
  if (request.deed == Deed::kClaim) {
    tickets_[request.stamper].open_claims.erase({client, report.request});
  }
}

bool Model::HandOvers::Judges(const Request& request, const Report& report) {
  using Code = absl::StatusCode;
  if (report.code == Code::kResourceExhausted) return false;
  switch (request.deed) {
    case Deed::kLease: return false;
    case Deed::kAttach: return report.code == Code::kFailedPrecondition;
    case Deed::kRead:
      return report.code == Code::kNotFound ||
             report.code == Code::kDeadlineExceeded;
    default: return true;
  }
}

void Model::HandOvers::OnUnsure(const Request& request, const Report& report) {
  if (request.deed == Deed::kSeal) return;
  tickets_[request.stamper].answered = report.time;
  const auto lease = model_.leases_.find(request.stamper);
  if (lease == model_.leases_.end()) return;
  lease->second.phase = Phase::kUnreleased;
  lease->second.last_sign = report.time;
}

void Model::HandOvers::OnEnding(const RandomId& id, const Lease& lease,
                                absl::Time now) {
  const auto found = seals_.find(id);
  if (found == seals_.end() || found->second.ending.has_value()) return;
  found->second.ending = now;
  found->second.may_have_expired = model_.MayHaveExpired(lease, now);
}

void Model::HandOvers::OnGone(const RandomId& id, absl::Time now) {
  const auto found = seals_.find(id);
  if (found == seals_.end()) return;
  found->second.gone = now;
  found->second.last_sign = now;
}

void Model::HandOvers::OnClientDied(int client, absl::Time now) {
  for (const auto& [id, lease] : model_.leases_) {
    if (lease.client != client) continue;
    OnEnding(id, lease, now);
    OnGone(id, now);
  }
  for (auto& [id, ticket] : tickets_) {
    if (ticket.giver == client && !ticket.answered.has_value()) {
      ticket.answered = now;
    }
  }
}

absl::Time Model::HandOvers::KeptUntil(const Seal& seal) {
  if (!seal.sealed || !seal.ending || seal.may_have_expired) {
    return absl::InfinitePast();
  }
  return *seal.ending + seal.linger;
}

bool Model::HandOvers::MustBeThere(const Ticket& ticket, absl::Time now) {
  return ticket.made && ticket.claimed_by == RandomId() &&
         ticket.open_claims.empty() && now < ticket.asked + ticket.ttl;
}

Model::Verdict Model::HandOvers::WhoKeeps(const RandomId& stamper,
                                          absl::Time now) const {
  const auto ticket = tickets_.find(stamper);
  if (ticket != tickets_.end() && MustBeThere(ticket->second, now)) {
    return "a ticket";
  }
  const auto seal = seals_.find(stamper);
  if (seal != seals_.end() && now < KeptUntil(seal->second)) {
    return "a lingering lease";
  }
  return std::nullopt;
}

}  // namespace warmpool::torture
