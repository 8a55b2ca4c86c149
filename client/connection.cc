#include "client/connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/conversion.h"
#include "client/lease_verdict.h"
#include "core/base/clock.h"
#include "core/base/random_id.h"
#include "core/base/unix_target.h"

namespace warmpool {
namespace {

using Stub = DaemonChannel::Stub;

// What a release still waits when the daemon was silent before.
constexpr absl::Duration kShortDeadline = absl::Milliseconds(250);

// What a call for reconciliation waits for its answer: longer than the daemon
// takes, but not long, because the connection waits for it when it closes.
constexpr absl::Duration kReconciliationDeadline = absl::Seconds(3);

LeaseKeeper::Renewal RenewalOf(const v1::GrantedLease& lease) {
  return {lease.lease_id(), lease.generation(), DurationFromWire(lease.ttl())};
}

// For a request that named one lease.
absl::Status CheckOneResult(int results) {
  if (results == 1) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("the daemon gave ", results, " results for one lease"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<Connection>> Connection::Open(
    const std::string& target, const Options& options) {
  const absl::StatusOr<std::string> socket_path = SocketPathOf(target);
  if (!socket_path.ok()) return socket_path.status();
  const std::shared_ptr<Connection> connection(
      new Connection(target, *socket_path, options), [](Connection* unused) {
        // What it owns can't be taken apart in a forked child, where neither
        // gRPC's threads nor the keeper's run.
        if (unused->channel_.CheckProcess().ok()) delete unused;
      });
  const absl::Status connected =
      connection->channel_.WaitForDaemon(options.deadline);
  if (!connected.ok()) return connected;
  return connection;
}

Connection::Connection(const std::string& target,
                       const std::string& socket_path, const Options& options)
    : options_(options),
      client_id_(KernelRandom::Get().Next().ToBytes()),
      channel_(target, socket_path),
      reconciliation_(
          &channel_, &known_,
          {.client_id = client_id_,
           .deadline = std::min(options.deadline, kReconciliationDeadline),
           .on_asserted =
               [this](const v1::GrantedLease& lease, absl::Duration ttl,
                      absl::Time asked) { KeepRenewed(lease, ttl, asked); }}),
      reconciler_(
          &MonotonicClock::Get(),
          {.notice_loss = [this] { return channel_.NoticeLoss(); },
           .assert_known = [this] { return reconciliation_.AssertKnown(); },
           .release_forgotten =
               [this] { return reconciliation_.ReleaseForgotten(); }}),
      keeper_(&MonotonicClock::Get(),
              [this](const std::vector<LeaseKeeper::Renewal>& renewals) {
                return RenewForKeeper(renewals);
              }) {}

Connection::~Connection() {
  // It uses the keeper, and the keeper's calls use it: neither may be destroyed
  // while the other's thread runs. The keeper's ends with the keeper.
  reconciler_.Stop();
}

Connection::Effort Connection::SmallEffort() const {
  return {
      .deadline = options_.deadline, .wait_for_daemon = false, .repeat = false};
}

template <typename Request, typename Response>
absl::StatusOr<Response> Connection::Call(Rpc<Request, Response> rpc,
                                          const Request& request,
                                          Effort* effort) {
  absl::StatusOr<Response> response = channel_.Ask(rpc, request, effort);
  if (effort->lost) reconciler_.NoteLoss();
  return response;
}

template <typename Request, typename Response>
absl::StatusOr<v1::GrantedLease> Connection::CallForLease(
    Rpc<Request, Response> rpc, Request* request) {
  // Before any lock: the fork may have come while it was held.
  const absl::Status process = channel_.CheckProcess();
  if (!process.ok()) return process;
  const std::string request_id = KernelRandom::Get().Next().ToBytes();
  request->set_request_id(request_id);
  request->set_client_id(client_id_);
  known_.Begin(request_id);
  reconciler_.Start();
  const absl::Time asked = MonotonicClock::Get().Now();
  Effort effort = FullEffort();
  absl::StatusOr<Response> response = Call(rpc, *request, &effort);
  if (response.ok()) {
    known_.Granted(request_id, response->lease());
    KeepRenewed(response->lease(), DurationFromWire(response->lease().ttl()),
                asked);
    return std::move(*response->mutable_lease());
  }
  if (effort.answered) {
    known_.Refused(request_id);
  } else {
    known_.GivenUp(request_id);
    reconciler_.NoteForgotten();
  }
  return response.status();
}

void Connection::KeepRenewed(const v1::GrantedLease& lease, absl::Duration ttl,
                             absl::Time asked) {
  if (!options_.renew_leases || ttl == absl::ZeroDuration()) return;
  keeper_.Keep({lease.lease_id(), lease.generation(), ttl}, asked);
  keeper_.Start();
}

absl::StatusOr<v1::GrantedLease> Connection::Lease(v1::LeaseRequest request) {
  return CallForLease(&Stub::Lease, &request);
}

absl::StatusOr<v1::GrantedLease> Connection::Attach(v1::AttachRequest request) {
  return CallForLease(&Stub::Attach, &request);
}

absl::Status Connection::Release(const v1::GrantedLease& lease) {
  // Before any lock: the fork may have come while it was held.
  const absl::Status process = channel_.CheckProcess();
  if (!process.ok()) return process;
  const bool known = known_.Drop(lease.lease_id());
  keeper_.Drop(lease.lease_id());
  v1::ReleaseRequest request;
  v1::LeaseRef* const ref = request.add_leases();
  ref->set_lease_id(lease.lease_id());
  ref->set_generation(lease.generation());
  Effort effort = FullEffort();
  if (channel_.silent()) {
    effort = SmallEffort();
    effort.deadline = std::min(effort.deadline, kShortDeadline);
  }
  const absl::Status released = ReleaseOne(request, &effort);
  if (!effort.answered) reconciler_.NoteForgotten();
  // The daemon gave it, and knows it no more.
  if (known && absl::IsNotFound(released)) return absl::OkStatus();
  return released;
}

absl::Status Connection::Revoke(const std::string& lease_id) {
  v1::ReleaseRequest request;
  request.add_leases()->set_lease_id(lease_id);
  request.set_revoke(true);
  Effort effort = FullEffort();
  return ReleaseOne(request, &effort);
}

absl::Status Connection::ReleaseOne(const v1::ReleaseRequest& request,
                                    Effort* effort) {
  const absl::StatusOr<v1::ReleaseResponse> response =
      Call(&Stub::Release, request, effort);
  if (!response.ok()) return response.status();
  const absl::Status one = CheckOneResult(response->results_size());
  if (!one.ok()) return one;
  const absl::Status result = StatusFromResult(response->results(0));
  // The daemon died between the first try's release and its answer, and the
  // next daemon does not remember what was released.
  if (absl::IsNotFound(result) && effort->repeated) return absl::OkStatus();
  return result;
}

absl::Status Connection::Renew(const v1::GrantedLease& lease) {
  // Before any lock: the fork may have come while it was held.
  const absl::Status process = channel_.CheckProcess();
  if (!process.ok()) return process;
  const absl::Status verdict = known_.VerdictOn(lease.lease_id());
  if (!verdict.ok()) return verdict;
  const absl::StatusOr<Outcomes> outcomes =
      RenewAll({RenewalOf(lease)}, FullEffort());
  if (!outcomes.ok()) return outcomes.status();
  const absl::Status one = CheckOneResult(static_cast<int>(outcomes->size()));
  if (!one.ok()) return one;
  const absl::Status renewed = outcomes->front().status();
  if (absl::IsNotFound(renewed) && known_.IsLive(lease.lease_id())) {
    return reconciliation_.AssertOne(lease.lease_id());
  }
  return renewed;
}

absl::StatusOr<Connection::Outcomes> Connection::RenewForKeeper(
    const std::vector<LeaseKeeper::Renewal>& renewals) {
  // The keeper tries again by itself; and one call must not keep the next ones
  // waiting for longer than their leases last.
  Effort effort = SmallEffort();
  for (const LeaseKeeper::Renewal& renewal : renewals) {
    effort.deadline = std::min(effort.deadline, renewal.ttl / 3);
  }
  return RenewAll(renewals, effort);
}

absl::StatusOr<Connection::Outcomes> Connection::RenewAll(
    const std::vector<LeaseKeeper::Renewal>& renewals, Effort effort) {
  v1::RenewRequest request;
  for (const LeaseKeeper::Renewal& renewal : renewals) {
    v1::RenewRequest::Renewal* const wire = request.add_renewals();
    wire->mutable_lease()->set_lease_id(renewal.lease_id);
    wire->mutable_lease()->set_generation(renewal.generation);
    *wire->mutable_ttl() = DurationToWire(renewal.ttl);
  }
  const absl::StatusOr<v1::RenewResponse> response =
      Call(&Stub::Renew, request, &effort);
  if (!response.ok()) return response.status();
  Outcomes outcomes;
  for (const v1::RenewResponse::Renewed& renewed : response->renewed()) {
    const absl::Status status = StatusFromResult(renewed.result());
    if (status.ok()) {
      outcomes.emplace_back(DurationFromWire(renewed.ttl()));
    } else {
      outcomes.emplace_back(status);
    }
  }
  NoteVerdicts(renewals, outcomes);
  return outcomes;
}

void Connection::NoteVerdicts(
    const std::vector<LeaseKeeper::Renewal>& renewals,
    const Outcomes& outcomes) {
  if (outcomes.size() != renewals.size()) return;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const absl::Status& outcome = outcomes[i].status();
    const std::string& lease_id = renewals[i].lease_id;
    if (!absl::IsNotFound(outcome)) {
      if (HasEnded(outcome)) known_.Lose(lease_id, outcome);
    } else if (known_.IsLive(lease_id)) {
      // It was granted by a daemon before this one, which will take it up again.
      reconciler_.NoteLoss();
    }
  }
}

absl::StatusOr<v1::ListBuffersResponse> Connection::ListBuffers(
    const v1::ListBuffersRequest& request) {
  return Call(&Stub::ListBuffers, request, FullEffort());
}

absl::StatusOr<v1::GetStatsResponse> Connection::GetStats() {
  return Call(&Stub::GetStats, v1::GetStatsRequest(), FullEffort());
}

absl::StatusOr<v1::ShutdownResponse> Connection::Shutdown(bool revoke) {
  v1::ShutdownRequest request;
  request.set_revoke(revoke);
  return Call(&Stub::Shutdown, request, SmallEffort());
}

absl::Status Connection::WatchStats(
    absl::Duration interval,
    const std::function<bool(const v1::GetStatsResponse&)>& on_stats) {
  const absl::Status process = channel_.CheckProcess();
  if (!process.ok()) return process;
  v1::WatchStatsRequest request;
  *request.mutable_interval() = DurationToWire(interval);
  grpc::ClientContext context;
  const auto reader = channel_.stub().WatchStats(&context, request);
  v1::GetStatsResponse stats;
  while (reader->Read(&stats)) {
    if (on_stats(stats)) continue;
    context.TryCancel();
    reader->Finish();
    return absl::OkStatus();
  }
  const grpc::Status status = reader->Finish();
  if (!status.ok()) {
    return channel_.Explain(status, absl::InfiniteDuration());
  }
  return absl::UnavailableError(absl::StrCat(
      "the daemon at ", channel_.target(), " stopped sending statistics"));
}

}  // namespace warmpool
