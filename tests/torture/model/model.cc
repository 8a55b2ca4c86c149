#include "tests/torture/model/model.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/torture/model/handovers.h"

namespace warmpool::torture {
namespace {

// A client that ran for less between two stops may not have renewed a lease.
constexpr absl::Duration kTimeToRenew = absl::Milliseconds(500);

}  // namespace

Model::Model() : hand_overs_(std::make_unique<HandOvers>(this)) {}

Model::~Model() = default;

void Model::OnClientStarted(int client, pid_t pid) {
  clients_[client].pid = pid;
  client_of_pid_[pid] = client;
}

void Model::OnClientStopped(int client, absl::Time now) {
  clients_[client].stops.push_back({now, absl::InfiniteFuture()});
}

void Model::OnClientContinued(int client, absl::Time now) {
  clients_[client].stops.back().to = now;
}

bool Model::Client::Stopped() const {
  return !stops.empty() && stops.back().to == absl::InfiniteFuture();
}

void Model::OnClientDied(int client, absl::Time now) {
  hand_overs_->OnClientDied(client, now);
  clients_[client].alive = false;
  clients_[client].died = now;
  clients_[client].requests.clear();
  absl::erase_if(leases_, [client](const auto& lease) {
    return lease.second.client == client;
  });
}

std::optional<std::string> Model::Apply(int client, const Report& report) {
  switch (report.kind) {
    case Report::Kind::kAsking:
    case Report::Kind::kReading:
    case Report::Kind::kSealing:
    case Report::Kind::kTicketing:
    case Report::Kind::kClaiming:
      clients_[client].requests[report.request] = {.deed = DeedOf(report),
                                                   .asked = report.time,
                                                   .bytes = report.bytes,
                                                   .ttl = report.ttl,
                                                   .renewed = report.renewed,
                                                   .stamper = report.lease};
      return hand_overs_->OnAsking(client, report);
    case Report::Kind::kSealed:
    case Report::Kind::kTicketed: return hand_overs_->OnDone(client, report);
    case Report::Kind::kGranted: return OnGranted(client, report);
    case Report::Kind::kRefused: return OnRefused(client, report);
    case Report::Kind::kUnsure: return OnUnsure(client, report);
    case Report::Kind::kFound:
      ++counts_.reused;
      return JudgeFound(client, report);
    case Report::Kind::kStamped:
      // Of what was claimed, from here on.
      if (const auto lease = leases_.find(report.lease);
          lease != leases_.end()) {
        lease->second.stamper = report.lease;
      }
      return std::nullopt;
    case Report::Kind::kForking:
      clients_[client].last_fork = report.time;
      return std::nullopt;
    case Report::Kind::kPromised:
    case Report::Kind::kPaused: return std::nullopt;
    case Report::Kind::kReleasing:
    case Report::Kind::kReleased:
    case Report::Kind::kUnreleased:
    case Report::Kind::kRenewed: return OnEnded(client, report);
    case Report::Kind::kLost: return OnLost(client, report);
    case Report::Kind::kChecked:
      counts_.bytes_checked += report.bytes;
      return std::nullopt;
    case Report::Kind::kForkHolds:
      ++counts_.forks;
      ++forks_[report.lease];
      return std::nullopt;
    case Report::Kind::kForkDone:
      if (--forks_[report.lease] == 0) forks_.erase(report.lease);
      return std::nullopt;
    case Report::Kind::kBreach: return report.text;
  }
  return "a report of no kind";
}

Model::Deed Model::DeedOf(const Report& report) {
  switch (report.kind) {
    case Report::Kind::kReading: return Deed::kRead;
    case Report::Kind::kSealing: return Deed::kSeal;
    case Report::Kind::kTicketing: return Deed::kTicket;
    case Report::Kind::kClaiming: return Deed::kClaim;
    default: return report.lease == RandomId() ? Deed::kLease : Deed::kAttach;
  }
}

Model::Verdict Model::OnGranted(int client, const Report& report) {
  const auto found = clients_[client].requests.find(report.request);
  if (found == clients_[client].requests.end()) {
    return absl::StrCat("an answer to no request: ", report.ToLine());
  }
  const Request request = found->second;
  clients_[client].requests.erase(found);
  if (request.deed == Deed::kLease) ++counts_.leases;
  if (request.deed == Deed::kAttach) ++counts_.attached;
  if (leases_.contains(report.lease) || released_.contains(report.lease)) {
    return absl::StrCat("lease ", report.lease.ToHex(), " was granted twice");
  }
  if (Verdict verdict = hand_overs_->OnGranted(client, request, report)) {
    return verdict;
  }
  if (Verdict verdict = JudgeFile(client, report)) return verdict;
  files_[report.generation] = {report.inode, report.bytes, report.time};
  const bool own = request.deed == Deed::kLease;
  leases_[report.lease] = {.client = client,
                           .stamper = own ? report.lease : request.stamper,
                           .generation = report.generation,
                           .bytes = report.bytes,
                           .inode = report.inode,
                           .ttl = report.ttl,
                           .renewed = request.renewed,
                           .asked = request.asked,
                           .last_sign = report.time};
  return std::nullopt;
}

Model::Verdict Model::OnRefused(int client, const Report& report) {
  Client& asker = clients_[client];
  const Request request = asker.requests[report.request];
  asker.requests.erase(report.request);
  ++counts_.refused;
  hand_overs_->OnRefused(client, request, report);
  if (HandOvers::Judges(request, report)) {
    return hand_overs_->JudgeRefused(client, request, report);
  }
  const bool attach =
      request.deed == Deed::kAttach || request.deed == Deed::kRead;
  if (report.code == absl::StatusCode::kResourceExhausted) return std::nullopt;
  if (report.code == absl::StatusCode::kNotFound && attach) {
    return JudgeNotFound(client, request, report.time);
  }
  return absl::StrCat(
      "client ", client, " (pid ", asker.pid,
      ") was refused what it may ask for, a lease of ", request.bytes,
      " bytes: ", absl::StatusCodeToString(report.code), ": ", report.text);
}

Model::Verdict Model::OnUnsure(int client, const Report& report) {
  ++counts_.unanswered;
  Client& asker = clients_[client];
  const auto found = asker.requests.find(report.request);
  if (found == asker.requests.end()) return "no answer to no request";
  found->second.unanswered = report.time;
  const Request& request = found->second;
  if (request.deed == Deed::kSeal || request.deed == Deed::kTicket) {
    hand_overs_->OnUnsure(request, report);
    asker.requests.erase(found);
    return std::nullopt;
  }
  // It was granted, and had ended before it was mapped.
  const bool ended = report.code == absl::StatusCode::kFailedPrecondition ||
                     report.code == absl::StatusCode::kNotFound;
  if (ended && !MayHaveExpired(client, request.asked, request.ttl,
                               request.renewed, report.time)) {
    return absl::StrCat("client ", client, " (pid ", asker.pid,
                        ") can't map what it was just granted: ", report.text);
  }
  return std::nullopt;
}

Model::Verdict Model::OnEnded(int client, const Report& report) {
  const auto found = leases_.find(report.lease);
  if (found == leases_.end()) {
    return absl::StrCat("client ", client,
                        " has no lease for: ", report.ToLine());
  }
  found->second.last_sign = report.time;
  switch (report.kind) {
    case Report::Kind::kReleasing:
      hand_overs_->OnEnding(report.lease, found->second, report.time);
      found->second.phase = Phase::kReleasing;
      break;
    case Report::Kind::kUnreleased:
      if (report.code != absl::StatusCode::kOk) ++counts_.unanswered;
      found->second.phase = Phase::kUnreleased;
      break;
    case Report::Kind::kRenewed: ++counts_.renewed; break;
    default:
      ++counts_.released;
      hand_overs_->OnGone(report.lease, report.time);
      released_[report.lease] = report.time;
      leases_.erase(found);
  }
  return std::nullopt;
}

Model::Verdict Model::OnLost(int client, const Report& report) {
  const auto found = leases_.find(report.lease);
  if (found == leases_.end()) {
    return absl::StrCat("client ", client,
                        " lost a lease it never had: ", report.ToLine());
  }
  Lease& lease = found->second;
  if (!MayHaveExpired(lease, report.time)) {
    return absl::StrCat(
        "lease ", report.lease.ToHex(), " of client ", client, " (pid ",
        clients_[client].pid, ", ttl ", absl::FormatDuration(lease.ttl),
        ", asked for ", absl::FormatDuration(report.time - lease.asked),
        " ago) is lost: ", absl::StatusCodeToString(report.code), ": ",
        report.text);
  }
  if (lease.phase == Phase::kReleasing) {
    ++counts_.expired;
    hand_overs_->OnGone(report.lease, report.time);
    released_[report.lease] = report.time;
    leases_.erase(found);
  }
  return std::nullopt;
}

absl::Duration Model::LongestStop(const Client& client, absl::Time from,
                                  absl::Time now) const {
  absl::Duration longest;
  std::optional<Span> joined;
  for (const Span& stop : client.stops) {
    if (joined.has_value() && stop.from - joined->to < kTimeToRenew) {
      joined->to = stop.to;
    } else {
      joined = stop;
    }
    longest = std::max(
        longest, std::min(joined->to, now) - std::max(joined->from, from));
  }
  return longest;
}

bool Model::MayHaveExpired(int client, absl::Time asked, absl::Duration ttl,
                           bool renewed, absl::Time now) const {
  if (ttl == absl::ZeroDuration()) return false;
  if (!renewed) return now >= asked + ttl;
  const auto found = clients_.find(client);
  return found != clients_.end() &&
         LongestStop(found->second, asked, now) >= ttl / 2;
}

bool Model::MayHaveExpired(const Lease& lease, absl::Time now) const {
  return MayHaveExpired(lease.client, lease.asked, lease.ttl, lease.renewed,
                        now);
}

absl::Time Model::MustBeGone(absl::Time last_sign, absl::Duration ttl) const {
  if (ttl == absl::ZeroDuration()) return absl::InfiniteFuture();
  // A daemon that starts gives every lease a full time to live.
  return std::max(last_sign, daemon_up_) + ttl + kSlack;
}

size_t Model::held() const {
  return static_cast<size_t>(std::count_if(
      leases_.begin(), leases_.end(),
      [](const auto& item) { return item.second.phase == Phase::kHeld; }));
}

}  // namespace warmpool::torture
