#include "client/rpc/attach_calls.h"

#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "client/rpc/conversion.h"
#include "client/rpc/local_channel.h"
#include "core/base/clock.h"
#include "core/base/thread.h"

namespace warmpool {
namespace {

// Between the tries of one call. A daemon takes longer to start.
constexpr absl::Duration kPause = absl::Milliseconds(50);

}  // namespace

struct AttachCalls::Call {
  v1::AttachRequest request;
  v1::AttachResponse response;
  // By the monotonic clock.
  absl::Time waits_until;
  absl::Time ends_at;
  absl::Duration deadline;
  Done done;
  bool lost = false;
  // Of the try that is under way. A thread of gRPC's must not be the last that
  // has either when others may end the connection (see DaemonConnector); the
  // context has the connection, too, and so it goes first.
  std::shared_ptr<DaemonLink> link;
  // The same. Replaced under the lock, and not once this is
  // stopping, when others cancel it.
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::Alarm> pause;
};

void AttachCalls::Start(v1::AttachRequest request, absl::Duration deadline,
                        Done done) {
  const absl::Time now = MonotonicClock::Get().Now();
  const auto call = std::make_shared<Call>();
  call->waits_until = now + DurationFromWire(request.wait());
  call->ends_at = call->waits_until + deadline;
  call->deadline = deadline;
  call->request = std::move(request);
  call->done = std::move(done);
  {
    MutexLock lock(&mutex_);
    calls_.insert(call);
  }
  Try(call);
}

void AttachCalls::Try(std::shared_ptr<Call> call) {
  const absl::Time now = MonotonicClock::Get().Now();
  *call->request.mutable_wait() =
      DurationToWire(std::max(call->waits_until - now, absl::ZeroDuration()));
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(GrpcDeadline(call->ends_at - now));
  grpc::ClientContext* const raw = context.get();
  bool stopping = false;
  {
    MutexLock lock(&mutex_);
    stopping = stopping_;
    if (!stopping) call->context.swap(context);
  }
  context = nullptr;
  if (stopping) return Finish(call, grpc::Status::CANCELLED);
  // A thread of gRPC's can't wait for a connection: others make it.
  call->link = channel_.Current();
  if (!call->link->alive()) {
    return OnAnswered(
        call, grpc::Status(grpc::StatusCode::UNAVAILABLE, "no connection"));
  }
  const absl::Status threads = CheckThreadsFor(call->link);
  if (!threads.ok()) {
    return Finish(call, grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                                     std::string(threads.message())));
  }
  const SignalsBlocked blocked;
  call->link->stub().async()->Attach(
      raw, &call->request, &call->response,
      [this, call](const grpc::Status& status) { OnAnswered(call, status); });
}

absl::Status AttachCalls::CheckThreadsFor(
    const std::shared_ptr<DaemonLink>& link) {
  {
    MutexLock lock(&mutex_);
    const bool same =
        !checked_.owner_before(link) && !link.owner_before(checked_);
    if (same) return absl::OkStatus();
  }
  absl::Status checked = CheckCallbackThreads();
  MutexLock lock(&mutex_);
  if (checked.ok()) checked_ = link;
  return checked;
}

void AttachCalls::OnAnswered(const std::shared_ptr<Call>& call,
                             const grpc::Status& status) {
  if (DaemonChannel::ConnectionWasLost(status)) {
    call->lost = true;
    bool stopping = false;
    {
      MutexLock lock(&mutex_);
      stopping = stopping_;
    }
    // Otherwise it was cancelled here.
    if (!stopping) {
      channel_.RecordLost(call->link);
      on_lost_();
    }
  }
  if (!DaemonChannel::IsWorthRepeating(status) ||
      MonotonicClock::Get().Now() + kPause >= call->ends_at) {
    return Finish(call, status);
  }
  grpc::Alarm* pause = nullptr;
  {
    MutexLock lock(&mutex_);
    if (!stopping_) {
      // That of the last try fired long ago.
      call->pause = std::make_unique<grpc::Alarm>();
      pause = call->pause.get();
    }
  }
  if (pause == nullptr) return Finish(call, grpc::Status::CANCELLED);
  pause->Set(GrpcDeadline(kPause), [this, call](bool) { Try(call); });
}

void AttachCalls::Finish(const std::shared_ptr<Call>& call,
                         const grpc::Status& status) {
  bool stopped = false;
  std::unique_ptr<grpc::ClientContext> context;
  {
    MutexLock lock(&mutex_);
    stopped = stopping_;
    if (!stopped) context = std::move(call->context);
  }
  // Otherwise Stop does this.
  if (!stopped) {
    context = nullptr;
    call->link = nullptr;
  }
  Outcome outcome;
  outcome.lost = call->lost;
  if (status.ok()) {
    outcome.answered = true;
    outcome.response = std::move(call->response);
  } else if (stopped && DaemonChannel::ConnectionWasLost(status)) {
    outcome.status =
        absl::CancelledError("the client went while the buffer was waited for");
  } else if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
             MonotonicClock::Get().Now() < call->ends_at) {
    // The daemon's word that it waited in vain.
    outcome.answered = true;
    outcome.status = StatusFromGrpc(status);
  } else {
    outcome.answered = DaemonChannel::CameFromTheDaemon(status);
    outcome.status = channel_.Explain(status, call->deadline);
  }
  call->done(std::move(outcome));
  MutexLock lock(&mutex_);
  // Its callback has the call, which would keep itself, and with its context
  // the connection that was lost.
  call->pause.reset();
  calls_.erase(call);
  if (calls_.empty()) ended_.NotifyAll();
}

void AttachCalls::Stop() {
  std::vector<std::shared_ptr<Call>> calls;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    calls.assign(calls_.begin(), calls_.end());
  }
  for (const std::shared_ptr<Call>& call : calls) {
    if (call->context != nullptr) call->context->TryCancel();
  }
  {
    MutexLock lock(&mutex_);
    while (!calls_.empty()) ended_.Wait(&mutex_);
  }
  for (const std::shared_ptr<Call>& call : calls) {
    call->context = nullptr;
    call->link = nullptr;
  }
}

}  // namespace warmpool
