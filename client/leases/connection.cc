#include "client/leases/connection.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/rpc/buffer_pages.h"
#include "client/rpc/conversion.h"
#include "core/base/clock.h"
#include "core/base/random_id.h"
#include "core/base/status_macros.h"
#include "core/base/thread.h"

namespace warmpool {
namespace {

using Stub = DaemonChannel::Stub;

// What a release still waits when the daemon was silent before.
constexpr absl::Duration kShortDeadline = absl::Milliseconds(250);

// What is asked for ahead of need is not needed, and a trim waits meanwhile.
constexpr absl::Duration kAheadDeadline = absl::Milliseconds(50);

// What a call for reconciliation waits for its answer: longer than the daemon
// takes, but not long, because the connection waits for it when it closes.
constexpr absl::Duration kReconciliationDeadline = absl::Seconds(3);

// Of a page that nobody waits for, but a channel that closes meanwhile.
constexpr absl::Duration kListDeadline = absl::Seconds(1);

// As many as the daemon takes in one request.
constexpr size_t kMaxLeasesAhead = 64;

LeaseRenewer::Renewal RenewalOf(const v1::GrantedLease& lease) {
  return {lease.lease_id(), lease.generation(), DurationFromWire(lease.ttl())};
}

v1::GrantedLease& GrantedIn(v1::SessionReply* reply) {
  if (reply->has_lease()) return *reply->mutable_lease()->mutable_lease();
  if (reply->has_claim()) return *reply->mutable_claim()->mutable_lease();
  return *reply->mutable_attach()->mutable_lease();
}

}  // namespace

absl::StatusOr<std::shared_ptr<Connection>> Connection::Open(
    const std::string& target, const Options& options) {
  ASSIGN_OR_RETURN(const std::string socket_path,
                   DaemonChannel::CheckTarget(target));
  const std::shared_ptr<Connection> connection(
      Make(target, socket_path, options), [](Connection* unused) {
        // What it owns can't be taken apart in a forked child, where neither
        // gRPC's threads nor the keeper's run.
        if (unused->channel_.CheckProcess().ok()) delete unused;
      });
  RETURN_IF_ERROR(connection->Prepare());
  RETURN_IF_ERROR(connection->channel_.WaitForDaemon(options.deadline));
  return connection;
}

Connection* Connection::Make(const std::string& target,
                             const std::string& socket_path,
                             const Options& options) {
  // gRPC starts threads of its own.
  const SignalsBlocked blocked;
  return new Connection(target, socket_path, options);
}

absl::Status Connection::Prepare() {
  absl::Status prepared = channel_.session().Prepare();
  if (prepared.ok()) prepared = reconciler_.Prepare();
  if (prepared.ok() && options_.renew_leases) prepared = keeper_.Prepare();
  return prepared;
}

Connection::Connection(const std::string& target,
                       const std::string& socket_path, const Options& options)
    : options_(options),
      client_id_(KernelRandom::Get().Next().ToBytes()),
      channel_(
          target, socket_path,
          {.busy_poll = options.busy_poll,
           .on_notice =
               [this](const v1::SessionResponse& notice) { OnNotice(notice); },
           .on_lost = [this] { OnSessionLost(); }},
          options.trusted),
      renewals_(&channel_, &known_, [this] { reconciler_.RecordLoss(); }),
      reconciliation_(
          &channel_, &known_,
          {.client_id = client_id_,
           .deadline = std::min(options.deadline, kReconciliationDeadline),
           .on_asserted =
               [this](const v1::GrantedLease& lease, absl::Duration ttl,
                      absl::Time asked) { KeepRenewed(lease, ttl, asked); }}),
      reconciler_(&MonotonicClock::Get(),
                  {.notice_loss = [this] { return channel_.NoticeLoss(); },
                   .assert_known =
                       [this] {
                         // Also where nothing is known: others wait for a
                         // connection.
                         absl::Status asserted =
                             channel_.Link(kReconciliationDeadline).status();
                         if (asserted.ok())
                           asserted = reconciliation_.AssertKnown();
                         if (!asserted.ok()) return asserted;
                         // So that notices reach a client that makes no calls.
                         channel_.session().Open();
                         Effort effort = SmallEffort();
                         effort.deadline =
                             std::min(effort.deadline, kReconciliationDeadline);
                         return renewals_.TellSizes(known_.WithUntoldSize(),
                                                    effort);
                       },
                   .release_forgotten =
                       [this] { return reconciliation_.ReleaseForgotten(); }}),
      keeper_(&MonotonicClock::Get(),
              [this](const std::vector<LeaseRenewer::Renewal>& renewals) {
                return RenewForKeeper(renewals);
              }),
      attach_calls_(&channel_, [this] { reconciler_.RecordLoss(); }) {}

Connection::~Connection() {
  // Each of them uses the others: none may be destroyed while a thread of
  // another runs.
  attach_calls_.Stop();
  keeper_.Stop();
  reconciler_.Stop();
  channel_.session().Close();
}

Connection::Effort Connection::SmallEffort() const {
  return {
      .deadline = options_.deadline, .wait_for_daemon = false, .repeat = false};
}

absl::StatusOr<v1::SessionReply> Connection::CallInSession(
    const v1::SessionRequest& request, Effort* effort) {
  absl::StatusOr<v1::SessionReply> reply =
      channel_.AskInSession(request, effort);
  if (effort->lost) reconciler_.RecordLoss();
  return reply;
}

template <typename Part>
absl::StatusOr<HeldLease> Connection::CallForLease(
    const v1::SessionRequest& request, Part* part, Effort* effort) {
  // Before any lock: the fork may have come while it was held.
  RETURN_IF_ERROR(channel_.CheckProcess());
  const std::string request_id = BeginForLease();
  part->set_request_id(request_id);
  part->set_client_id(client_id_);
  const absl::Time asked = MonotonicClock::Get().Now();
  absl::StatusOr<v1::SessionReply> reply = CallInSession(request, effort);
  if (reply.ok()) {
    return Hold(request_id, std::move(GrantedIn(&*reply)), asked);
  }
  RecordNoGrant(request_id, effort->answered);
  return reply.status();
}

std::string Connection::BeginForLease() {
  std::string request_id = random_.Next().ToBytes();
  known_.Begin(request_id);
  reconciler_.Start();
  return request_id;
}

void Connection::RecordNoGrant(const std::string& request_id, bool answered) {
  if (answered) {
    known_.Refused(request_id);
  } else {
    known_.GivenUp(request_id, MonotonicClock::Get().Now());
    reconciler_.RecordForgotten();
  }
}

HeldLease Connection::Hold(const std::string& request_id,
                           v1::GrantedLease granted, absl::Time asked) {
  HeldLease held;
  held.fate = known_.Granted(request_id, granted);
  if (!held.fate->ended) {
    KeepRenewed(granted, DurationFromWire(granted.ttl()), asked);
  }
  held.granted = std::move(granted);
  held.asked = asked;
  return held;
}

void Connection::KeepRenewed(const v1::GrantedLease& lease, absl::Duration ttl,
                             absl::Time asked) {
  if (!options_.renew_leases || ttl == absl::ZeroDuration()) return;
  keeper_.Keep({lease.lease_id(), lease.generation(), ttl}, asked);
  keeper_.Start();
}

absl::StatusOr<HeldLease> Connection::Lease(v1::LeaseRequest lease,
                                            GiveBack give_back) {
  v1::SessionRequest request;
  *request.mutable_lease() = std::move(lease);
  const absl::Time until = MonotonicClock::Get().Now() + options_.deadline;
  Effort effort = FullEffort();
  absl::StatusOr<HeldLease> held =
      CallForLease(request, request.mutable_lease(), &effort);
  // Otherwise it is this process that lacks something.
  const bool full = absl::IsResourceExhausted(held.status()) && effort.answered;
  if (!full || !give_back()) return held;
  // What was given back goes out before the request.
  effort = FullEffort();
  effort.deadline = until - MonotonicClock::Get().Now();
  if (effort.deadline <= absl::ZeroDuration()) return held;
  return CallForLease(request, request.mutable_lease(), &effort);
}

absl::StatusOr<HeldLease> Connection::Attach(v1::AttachRequest attach) {
  v1::SessionRequest request;
  *request.mutable_attach() = std::move(attach);
  Effort effort = FullEffort();
  effort.deadline += DurationFromWire(request.attach().wait());
  return CallForLease(request, request.mutable_attach(), &effort);
}

void Connection::AttachAsync(
    v1::AttachRequest request,
    std::function<void(absl::StatusOr<HeldLease>)> done) {
  // Before any lock: the fork may have come while it was held.
  const absl::Status process = channel_.CheckProcess();
  if (!process.ok()) return done(process);
  const std::string request_id = BeginForLease();
  request.set_request_id(request_id);
  request.set_client_id(client_id_);
  const absl::Time asked = MonotonicClock::Get().Now();
  attach_calls_.Start(
      std::move(request), options_.deadline,
      [this, request_id, asked,
       done = std::move(done)](AttachCalls::Outcome outcome) {
        if (outcome.lost) reconciler_.RecordLoss();
        if (!outcome.status.ok()) {
          RecordNoGrant(request_id, outcome.answered);
          return done(outcome.status);
        }
        // So that notices of the lease arrive.
        channel_.session().Open();
        done(Hold(request_id, std::move(*outcome.response.mutable_lease()),
                  asked));
      });
}

void Connection::EndAttachThens() {
  if (channel_.CheckProcess().ok()) attach_calls_.Stop();
}

absl::StatusOr<HeldLease> Connection::Claim(v1::ClaimRequest claim) {
  v1::SessionRequest request;
  *request.mutable_claim() = std::move(claim);
  Effort effort = FullEffort();
  return CallForLease(request, request.mutable_claim(), &effort);
}

std::vector<HeldLease> Connection::LeaseAhead(uint64_t bytes, size_t count) {
  std::vector<HeldLease> held;
  if (!channel_.CheckProcess().ok() || channel_.silent()) return held;
  v1::SessionRequest request;
  for (size_t i = 0; i < std::min(count, kMaxLeasesAhead); ++i) {
    v1::LeaseRequest& lease = *request.mutable_lease_many()->add_leases();
    lease.set_request_id(random_.Next().ToBytes());
    lease.set_client_id(client_id_);
    lease.set_size_bytes(bytes);
    lease.set_if_ready(true);
    known_.Begin(lease.request_id());
  }
  const absl::Time asked = MonotonicClock::Get().Now();
  Effort effort = SmallEffort();
  effort.deadline = std::min(effort.deadline, kAheadDeadline);
  absl::StatusOr<v1::SessionReply> reply = CallInSession(request, &effort);
  int i = 0;
  for (const v1::LeaseRequest& lease : request.lease_many().leases()) {
    v1::LeaseManyResponse::Outcome* const outcome =
        reply.ok() && i < reply->lease_many().outcomes_size()
            ? reply->mutable_lease_many()->mutable_outcomes(i++)
            : nullptr;
    if (outcome != nullptr && outcome->has_lease()) {
      held.push_back(Hold(lease.request_id(),
                          std::move(*outcome->mutable_lease()), asked));
    } else if (effort.answered) {
      known_.Refused(lease.request_id());
    } else {
      known_.GivenUp(lease.request_id(), asked);
    }
  }
  if (!effort.answered) reconciler_.RecordForgotten();
  return held;
}

absl::Status Connection::Release(const v1::GrantedLease& lease) {
  // Before any lock: the fork may have come while it was held.
  RETURN_IF_ERROR(channel_.CheckProcess());
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
  if (!effort.answered) reconciler_.RecordForgotten();
  // The daemon gave it, and knows it no more.
  if (known && absl::IsNotFound(released)) return absl::OkStatus();
  return released;
}

void Connection::ReleaseLater(const std::vector<v1::LeaseRef>& leases) {
  // Before any lock: the fork may have come while it was held.
  if (!channel_.CheckProcess().ok()) return;
  for (const v1::LeaseRef& lease : leases) {
    if (lease.for_all_members()) {
      known_.DropForAll(lease.lease_id());
    } else {
      known_.Drop(lease.lease_id());
    }
    keeper_.Drop(lease.lease_id());
  }
  channel_.session().Release(leases);
}

void Connection::ReportIdle(const v1::IdleReport& idle) {
  if (!channel_.CheckProcess().ok()) return;
  channel_.session().Report(idle);
}

void Connection::OnTrim(TrimFunction trim) {
  MutexLock lock(&trim_mutex_);
  trim_ = std::move(trim);
}

void Connection::OnNotice(const v1::SessionResponse& notice) {
  if (notice.has_revoked()) {
    const v1::RevokedNotice& revoked = notice.revoked();
    const bool expired = revoked.cause() == v1::RevokedNotice::CAUSE_EXPIRED;
    known_.Lose(revoked.lease_id(),
                absl::FailedPreconditionError(absl::StrCat(
                    "the lease on buffer \"", revoked.buffer_name(), "\" ",
                    expired ? "expired" : "was revoked")));
    keeper_.Drop(revoked.lease_id());
  } else if (notice.has_trim()) {
    MutexLock lock(&trim_mutex_);
    if (trim_) trim_(notice.trim().wanted_bytes());
  }
}

void Connection::OnSessionLost() { reconciler_.RecordLoss(); }

absl::Status Connection::ReleaseOne(v1::ReleaseRequest release,
                                    Effort* effort) {
  v1::SessionRequest request;
  *request.mutable_release() = std::move(release);
  ASSIGN_OR_RETURN(const v1::SessionReply reply,
                   CallInSession(request, effort));
  return ResultOfRelease(reply.release(), effort->repeated);
}

absl::Status Connection::Renew(const v1::GrantedLease& lease) {
  // Before any lock: the fork may have come while it was held.
  RETURN_IF_ERROR(channel_.CheckProcess());
  RETURN_IF_ERROR(known_.VerdictOn(lease.lease_id()));
  ASSIGN_OR_RETURN(const Outcomes outcomes,
                   renewals_.Renew({RenewalOf(lease)}, FullEffort()));
  const absl::Status renewed = outcomes.front().status();
  if (absl::IsNotFound(renewed) && known_.IsLive(lease.lease_id())) {
    return reconciliation_.AssertOne(lease.lease_id());
  }
  return renewed;
}

absl::StatusOr<Connection::Outcomes> Connection::RenewForKeeper(
    const std::vector<LeaseRenewer::Renewal>& renewals) {
  // The keeper tries again by itself; and one call must not keep the next ones
  // waiting for longer than their leases last.
  Effort effort = SmallEffort();
  for (const LeaseRenewer::Renewal& renewal : renewals) {
    effort.deadline = std::min(effort.deadline, renewal.ttl / 3);
  }
  return renewals_.Renew(renewals, effort);
}

absl::StatusOr<LeaseSource::LeasesByBuffer> Connection::LeasesOn(
    const std::string& name_prefix) {
  v1::ListBuffersRequest filter;
  filter.set_name_prefix(name_prefix);
  LeasesByBuffer leases;
  const absl::Status listed = ForEachListed(
      std::move(filter),
      [this](const v1::ListBuffersRequest& request) {
        Effort effort = SmallEffort();
        effort.deadline = std::min(effort.deadline, kListDeadline);
        absl::StatusOr<v1::ListBuffersResponse> page =
            channel_.Ask(&Stub::ListBuffers, request, &effort);
        if (effort.lost) reconciler_.RecordLoss();
        return page;
      },
      [&](const v1::Buffer& buffer) {
        std::vector<std::string>& ids = leases[buffer.name()];
        for (const v1::BufferLease& lease : buffer.leases()) {
          ids.push_back(lease.lease_id());
        }
      });
  if (!listed.ok()) return listed;
  return leases;
}

}  // namespace warmpool
