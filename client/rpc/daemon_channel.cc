#include "client/rpc/daemon_channel.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/rpc/conversion.h"
#include "client/rpc/local_channel.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/base/unix_target.h"

namespace warmpool {
namespace {

// Between a lost connection and the next try: at random between a half of it
// and all of it, so that the clients of a daemon that was killed do not all
// come back at the same moment, and doubled with every try. The first is short:
// what takes time is the start of the next daemon, and that is waited for
// otherwise.
constexpr absl::Duration kFirstBackoff = absl::Milliseconds(20);
constexpr absl::Duration kLongestBackoff = absl::Milliseconds(250);

absl::Duration AtRandom(absl::Duration backoff) {
  absl::BitGen random;
  return backoff * absl::Uniform(random, 0.5, 1.0);
}

bool IsDraining(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         absl::StrContains(status.error_message(), "draining");
}

// A process that can't connect is without a daemon.
absl::Status AsAway(const absl::Status& status) {
  return absl::IsResourceExhausted(status)
             ? absl::UnavailableError(status.message())
             : status;
}

std::string Within(absl::Duration deadline) {
  return absl::StrCat(" within ", absl::FormatDuration(deadline));
}

}  // namespace

// UNAVAILABLE is what gRPC says of a lost connection, in words of its own, and
// what a draining daemon says of itself. gRPC 1.51 tells them apart by nothing
// else: in both cases there is a peer and there is no metadata. So it is by
// the word that the daemon's message has. CANCELLED: who cancels a call of
// his own knows; a daemon that stops does, before the connection goes.
bool DaemonChannel::ConnectionWasLost(const grpc::Status& status) {
  if (status.error_code() == grpc::StatusCode::CANCELLED) return true;
  return status.error_code() == grpc::StatusCode::UNAVAILABLE &&
         !IsDraining(status);
}

bool DaemonChannel::IsWorthRepeating(const grpc::Status& status) {
  return ConnectionWasLost(status) || IsDraining(status) ||
         status.error_code() == grpc::StatusCode::ABORTED;
}

bool DaemonChannel::CameFromTheDaemon(const grpc::Status& status) {
  return !ConnectionWasLost(status) &&
         status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED;
}

absl::StatusOr<std::string> DaemonChannel::CheckTarget(
    const std::string& target) {
  ASSIGN_OR_RETURN(const std::string socket_path, SocketPathOf(target));
  ASSIGN_OR_RETURN(std::string absolute, AbsoluteSocketPath(socket_path));
  // One that is missing, its daemon may yet make.
  const absl::Status directory = CheckSocketDirectory(absolute);
  if (absl::IsPermissionDenied(directory)) return directory;
  RETURN_IF_ERROR(CheckGrpcThreads());
  return absolute;
}

DaemonChannel::DaemonChannel(const std::string& target,
                             const std::string& socket_path,
                             SessionStream::Options session,
                             const TrustedPeers& trusted)
    : target_(target),
      socket_path_(socket_path),
      made_by_(getpid()),
      mark_(ForkGuard::Get().Mark()),
      connector_(socket_path, trusted),
      session_(
          [this] {
            const std::shared_ptr<DaemonLink> link = connector_.Current();
            return std::shared_ptr<Stub>(link, &link->stub());
          },
          &MonotonicClock::Get(), std::move(session)),
      socket_seen_(IdentityOfSocket(socket_path)) {}

absl::Status DaemonChannel::CheckProcess() const {
  if (!mark_.Forked()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the connection to ", target_, " belongs to process ", made_by_,
      ", which forked this one; fork before connecting"));
}

absl::Status DaemonChannel::WaitForDaemon(absl::Duration deadline) {
  const absl::Status connected =
      connector_.Get(MonotonicClock::Get().Now() + deadline, /*wait=*/true)
          .status();
  if (connected.ok() || absl::IsPermissionDenied(connected) ||
      absl::IsResourceExhausted(connected)) {
    return connected;
  }
  return Unreachable(Within(deadline));
}

absl::StatusOr<std::shared_ptr<DaemonLink>> DaemonChannel::Link(
    absl::Duration patience) {
  absl::StatusOr<std::shared_ptr<DaemonLink>> link =
      connector_.Get(MonotonicClock::Get().Now() + patience, /*wait=*/false);
  if (!link.ok()) return AsAway(link.status());
  return link;
}

absl::Status DaemonChannel::Call(
    Effort* effort, absl::FunctionRef<grpc::Status(const Try&)> call) {
  const absl::Status process = CheckProcess();
  if (!process.ok()) return process;
  const Clock& clock = MonotonicClock::Get();
  const absl::Time end = clock.Now() + effort->deadline;
  absl::Duration longest = kFirstBackoff;
  int tries = 0;
  // What a draining daemon said, if it did.
  grpc::Status refused;
  for (;;) {
    const absl::StatusOr<std::shared_ptr<DaemonLink>> link =
        connector_.Get(end, effort->wait_for_daemon);
    // What this process lacks says nothing about the daemon, which may have
    // done already what an earlier try asked for.
    if (absl::IsResourceExhausted(link.status())) {
      const bool sent_nothing = !effort->lost && !effort->repeated;
      return sent_nothing && effort->wait_for_daemon ? link.status()
                                                     : AsAway(link.status());
    }
    grpc::Status status(effort->wait_for_daemon
                            ? grpc::StatusCode::DEADLINE_EXCEEDED
                            : grpc::StatusCode::UNAVAILABLE,
                        "no connection");
    if (link.ok()) {
      status = call({.deadline = end, .stub = &(*link)->stub()});
      if (ConnectionWasLost(status)) connector_.RecordLost(*link);
    }
    effort->lost |= ConnectionWasLost(status);
    if (IsDraining(status)) {
      refused = status;
    } else {
      ++tries;
    }
    const absl::Duration backoff = AtRandom(longest);
    longest = std::min(longest * 2, kLongestBackoff);
    if (!effort->repeat || !IsWorthRepeating(status) || tries == kMaxTries ||
        clock.Now() + backoff >= end) {
      const bool heard = CameFromTheDaemon(status);
      // A call that does not wait may just have missed a restart.
      if (heard || effort->wait_for_daemon) silent_ = !heard;
      effort->answered =
          heard && status.error_code() != grpc::StatusCode::ABORTED;
      // The last of many tries may have had no time.
      const bool late =
          status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
      return Explain(late && !refused.ok() ? refused : status,
                     effort->deadline);
    }
    absl::SleepFor(backoff);
    effort->repeated = true;
  }
}

void DaemonChannel::Prepare(const Try& one, grpc::ClientContext* context) {
  context->set_deadline(
      GrpcDeadline(one.deadline - MonotonicClock::Get().Now()));
}

absl::StatusOr<v1::SessionReply> DaemonChannel::AskInSession(
    const v1::SessionRequest& request, Effort* effort) {
  v1::SessionReply reply;
  // That a wait was in vain is an answer, and not that there was none.
  absl::Status waited_in_vain;
  const bool waits = request.has_attach() && request.attach().has_wait();
  const absl::Time waits_until =
      MonotonicClock::Get().Now() + DurationFromWire(request.attach().wait());
  const absl::Status status = Call(effort, [&](const Try& one) {
    v1::SessionRequest asked = request;
    if (waits) {
      const absl::Duration left = waits_until - MonotonicClock::Get().Now();
      *asked.mutable_attach()->mutable_wait() =
          DurationToWire(std::max(left, absl::ZeroDuration()));
    }
    const grpc::Status answered =
        session_.Ask(std::move(asked), one.deadline, &reply);
    if (!answered.ok()) return answered;
    if (reply.status().code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      waited_in_vain = StatusFromResult(reply.status());
      return grpc::Status::OK;
    }
    return grpc::Status(static_cast<grpc::StatusCode>(reply.status().code()),
                        reply.status().message());
  });
  if (!status.ok()) return status;
  if (!waited_in_vain.ok()) return waited_in_vain;
  return reply;
}

bool DaemonChannel::NoticeLoss() {
  const bool connected = connector_.connected();
  const SocketIdentity identity = IdentityOfSocket(socket_path_);
  MutexLock lock(&mutex_);
  // None while a daemon is away.
  const bool replaced =
      identity != SocketIdentity() && identity != socket_seen_;
  if (replaced) socket_seen_ = identity;
  return replaced || !connected;
}

absl::Status DaemonChannel::Explain(const grpc::Status& status,
                                    absl::Duration deadline) {
  const bool lost = ConnectionWasLost(status);
  const bool late = status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED;
  if (lost) {
    return Unreachable(absl::StrCat(" (", status.error_message(), ")"));
  }
  if (!late) return StatusFromGrpc(status);
  if (!connector_.connected()) {
    return Unreachable(Within(deadline));
  }
  return absl::DeadlineExceededError(absl::StrCat(
      "the daemon at ", target_, " did not answer", Within(deadline)));
}

absl::Status DaemonChannel::Unreachable(absl::string_view cause) const {
  const absl::Status why = connector_.last_try();
  // There is a daemon, and it does not help to start another.
  if (absl::IsPermissionDenied(why)) {
    return absl::UnavailableError(absl::StrCat(
        "can't use the daemon at ", target_, cause, ": ", why.message()));
  }
  return absl::UnavailableError(absl::StrCat("no daemon answers at ", target_,
                                             cause, ": ", why.message(),
                                             "; warmpoold must run there"));
}

}  // namespace warmpool
