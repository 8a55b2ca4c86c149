// What HandOvers finds wrong.
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "tests/torture/model/handovers.h"

namespace warmpool::torture {

Model::Verdict Model::HandOvers::JudgeRead(const Request& request,
                                           const Report& report) const {
  const auto seal = seals_.find(request.stamper);
  if (seal == seals_.end()) {
    return absl::StrCat("the buffer of lease ", request.stamper.ToHex(),
                        " can be read, and nobody sealed it");
  }
  const std::optional<absl::Time> gone = seal->second.gone;
  if (gone.has_value() && *gone < request.asked) ++model_.counts_.read_late;
  if (seal->second.generation == report.generation) return std::nullopt;
  return absl::StrCat("the buffer of lease ", request.stamper.ToHex(),
                      " is read with generation ", report.generation,
                      " instead of ", seal->second.generation);
}

Model::Verdict Model::HandOvers::JudgeRefused(int client,
                                              const Request& request,
                                              const Report& report) {
  if (request.deed == Deed::kClaim) return JudgeClaim(client, request, report);
  const auto seal = seals_.find(request.stamper);
  const auto lease = model_.leases_.find(request.stamper);
  bool right = false;
  switch (request.deed) {
    case Deed::kAttach: right = seal != seals_.end(); break;
    case Deed::kRead:
      if (report.code == absl::StatusCode::kNotFound) {
        right = seal == seals_.end() || report.time >= KeptUntil(seal->second);
        if (right) return model_.JudgeNotFound(client, request, report.time);
        break;
      }
      right = seal == seals_.end() || !seal->second.sealed.has_value() ||
              *seal->second.sealed >= request.asked;
      break;
    default:
      // To be repeated, or of a lease that has ended.
      if (report.code == absl::StatusCode::kAborted ||
          lease == model_.leases_.end() ||
          model_.MayHaveExpired(lease->second, report.time)) {
        return std::nullopt;
      }
      right = request.deed == Deed::kSeal &&
              report.code == absl::StatusCode::kFailedPrecondition &&
              (shared_.contains(request.stamper) ||
               model_.clients_.at(client).last_fork >= lease->second.asked);
  }
  if (right) return std::nullopt;
  const bool attach =
      request.deed == Deed::kAttach || request.deed == Deed::kRead;
  return absl::StrCat(
      "client ", client, " was refused to ",
      attach ? "attach to" : (request.deed == Deed::kSeal ? "seal" : "give"),
      " the buffer of lease ", request.stamper.ToHex(), ": ",
      absl::StatusCodeToString(report.code), ": ", report.text);
}

Model::Verdict Model::HandOvers::JudgeClaim(int client, const Request& request,
                                            const Report& report) {
  Ticket& ticket = tickets_[request.stamper];
  const absl::Time refused_before =
      std::exchange(ticket.last_refusal, report.time);
  const bool not_as_yet =
      report.code == absl::StatusCode::kFailedPrecondition && ticket.forked;
  const bool gone = report.code == absl::StatusCode::kFailedPrecondition ||
                    report.code == absl::StatusCode::kNotFound;
  // Others have it, may have it, or were in between when this one came.
  const bool taken = ticket.claimed_by != RandomId() ||
                     !ticket.open_claims.empty() ||
                     refused_before >= request.asked;
  const bool expired = report.time >= ticket.asked + ticket.ttl;
  if (not_as_yet || (gone && (taken || expired))) {
    ++model_.counts_.claims_refused;
    return std::nullopt;
  }
  return absl::StrCat("client ", client, " was refused the ticket of lease ",
                      request.stamper.ToHex(), ", which nobody else claims: ",
                      absl::StatusCodeToString(report.code), ": ", report.text);
}

std::vector<Model::Problem> Model::HandOvers::Problems(
    const std::vector<Snapshot::Lease>& listed, absl::Time now) const {
  using Kind = Snapshot::Lease::Kind;
  std::vector<Problem> problems;
  const auto add = [&problems](const char* kind, uint64_t generation,
                               const std::string& what) {
    problems.push_back({absl::StrCat(kind, generation), what, kSlack});
  };
  absl::flat_hash_map<uint64_t, int> leases;
  absl::flat_hash_set<uint64_t> tickets;
  absl::flat_hash_set<uint64_t> lingering;
  for (const Snapshot::Lease& lease : listed) {
    ++leases[lease.generation];
    if (lease.kind == Kind::kHeld) continue;
    const bool is_ticket = lease.kind == Kind::kTicket;
    (is_ticket ? tickets : lingering).insert(lease.generation);
    if (Verdict wrong =
            is_ticket ? WrongTicket(lease, now) : WrongLingering(lease, now)) {
      add("listed ", lease.generation, *wrong);
    }
  }
  for (const uint64_t ticket : tickets) {
    if (leases[ticket] == 1) continue;
    add("alone ", ticket,
        absl::StrCat("the buffer of generation ", ticket,
                     " has a ticket and other leases"));
  }
  for (const auto& [id, ticket] : tickets_) {
    if (!MustBeThere(ticket, now) || tickets.contains(ticket.generation)) {
      continue;
    }
    add("missing ", ticket.generation,
        absl::StrCat("the ticket of lease ", id.ToHex(), " is not there"));
  }
  for (const auto& [id, seal] : seals_) {
    if (now >= KeptUntil(seal) || lingering.contains(seal.generation)) continue;
    // Its release may not have come through.
    if (!seal.gone.has_value()) continue;
    add("missing ", seal.generation,
        absl::StrCat("the sealed buffer of lease ", id.ToHex(),
                     " does not linger"));
  }
  return problems;
}

Model::Verdict Model::HandOvers::WrongTicket(const Snapshot::Lease& listed,
                                             absl::Time now) const {
  const std::string name =
      absl::StrCat("a ticket for a buffer of generation ", listed.generation);
  const auto id = by_generation_.find(listed.generation);
  const auto found =
      id == by_generation_.end() ? tickets_.end() : tickets_.find(id->second);
  if (found == tickets_.end()) return absl::StrCat(name, " that nobody made");
  const Ticket& ticket = found->second;
  if (ticket.claimed_by != RandomId()) {
    return absl::StrCat(name, " is there, though lease ",
                        ticket.claimed_by.ToHex(), " claimed it");
  }
  if (!ticket.answered.has_value() ||
      now <= model_.MustBeGone(*ticket.answered, ticket.ttl)) {
    return std::nullopt;
  }
  return absl::StrCat(name, " outlives its time to live of ",
                      absl::FormatDuration(ticket.ttl));
}

Model::Verdict Model::HandOvers::WrongLingering(const Snapshot::Lease& listed,
                                                absl::Time now) const {
  const std::string name =
      absl::StrCat("a buffer of generation ", listed.generation, " lingers");
  const auto id = by_generation_.find(listed.generation);
  const auto found =
      id == by_generation_.end() ? seals_.end() : seals_.find(id->second);
  if (found == seals_.end() || found->second.linger == absl::ZeroDuration()) {
    return absl::StrCat(name, ", and nobody wanted that");
  }
  const Seal& seal = found->second;
  const auto lease = model_.leases_.find(id->second);
  if (lease != model_.leases_.end()) {
    if (lease->second.phase != Phase::kHeld ||
        model_.MayHaveExpired(lease->second, now)) {
      return std::nullopt;
    }
    return absl::StrCat(name, ", though client ", lease->second.client,
                        " still has it");
  }
  // The death of its sealer is noticed within the slack.
  if (!seal.gone.has_value() ||
      now <= model_.MustBeGone(*seal.gone + kSlack, seal.linger)) {
    return std::nullopt;
  }
  return absl::StrCat(name, " for more than ",
                      absl::FormatDuration(seal.linger));
}

}  // namespace warmpool::torture
