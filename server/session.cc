#include "server/session.h"

#include <grpcpp/grpcpp.h>

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "server/grpc_status.h"
#include "server/session_answers.h"

namespace warmpool {
namespace {

// Answers that wait for their client to read: with more no request is read.
constexpr size_t kMaxWaitingAnswers = 64;
// With more in the way, notices included, the stream is ended.
constexpr size_t kMaxOutgoing = 4096;
// Requests of one Session that workers have or wait for.
constexpr int kMaxSlow = 16;

// Deletes itself once gRPC and the workers are done with it.
class SessionCall final : public SessionHub::Session {
 public:
  explicit SessionCall(const Serving& serving) : serving_(serving) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* const queue = serving.queue->queue();
    serving.service->RequestSession(&context_, &stream_, queue, queue,
                                    &begun_);
  }

  void SendNotice(const v1::SessionResponse& notice) override {
    MutexLock lock(&mutex_);
    // A lease may end before its grant is on the way, and its holder must not
    // hear of the end first.
    if (notice.has_revoked() && (answering_ || slow_ > 0)) {
      held_notices_.push_back(notice);
    } else {
      SendLocked(notice);
    }
  }

 private:
  struct Step final : ServingQueue::Event {
    Step(SessionCall* call, void (SessionCall::*happened)(bool))
        : call(call), happened(happened) {}
    void Happened(bool ok) override { (call->*happened)(ok); }
    SessionCall* const call;
    void (SessionCall::*const happened)(bool ok);
  };

  void OnBegun(bool ok) {
    // The server shuts down; nothing else was asked for.
    if (!ok) {
      delete this;
      return;
    }
    AwaitSession(serving_);
    const absl::StatusOr<HolderId> holder =
        serving_.holders->Resolve(context_.peer());
    {
      MutexLock lock(&mutex_);
      // Ended by OnOver.
      ++steps_;
      if (!holder.ok()) {
        FinishLocked(ToGrpcStatus(holder.status()));
        return;
      }
    }
    holder_ = *holder;
    serving_.sessions->Add(holder_, this);
    Read();
  }

  void Read() {
    {
      MutexLock lock(&mutex_);
      ++steps_;
    }
    stream_.Read(&request_, &read_);
  }

  void OnRead(bool ok) {
    if (ok) {
      HandleRequest();
    } else {
      MutexLock lock(&mutex_);
      reads_done_ = true;
      FinishIfIdleLocked();
    }
    EndStep();
  }

  void HandleRequest() {
    if (request_.released_size() > 0) {
      serving_.handlers->ReleaseQuietly(holder_, request_.released());
    }
    if (request_.has_idle()) {
      serving_.sessions->ChangeIdle(idle_bytes_, request_.idle().idle_bytes());
      idle_bytes_ = request_.idle().idle_bytes();
    }
    const bool asks =
        request_.request_case() != v1::SessionRequest::REQUEST_NOT_SET ||
        request_.tag() != 0;
    if (asks && !request_.one_way()) Answer();
    {
      MutexLock lock(&mutex_);
      if (finished_) return;
      if (outgoing_.size() >= kMaxWaitingAnswers || slow_ >= kMaxSlow) {
        read_deferred_ = true;
        return;
      }
    }
    Read();
  }

  void Answer() {
    {
      MutexLock lock(&mutex_);
      answering_ = true;
    }
    v1::SessionResponse response;
    const bool answered = AnswerAtOnce(*serving_.handlers, holder_, request_,
                                       response.mutable_reply());
    MutexLock lock(&mutex_);
    answering_ = false;
    if (answered) {
      SendLocked(std::move(response));
      SendHeldNoticesLocked();
      return;
    }
    ++slow_;
    ++steps_;
    serving_.workers->Run(
        [this, request = std::make_shared<v1::SessionRequest>(
                   std::move(request_))] { AnswerSlowly(*request); });
  }

  // Runs on a worker.
  void AnswerSlowly(const v1::SessionRequest& request) {
    v1::SessionResponse response;
    AnswerInFull(*serving_.handlers, holder_, request,
                 response.mutable_reply());
    bool read = false;
    {
      MutexLock lock(&mutex_);
      --slow_;
      SendLocked(std::move(response));
      SendHeldNoticesLocked();
      FinishIfIdleLocked();
      read = TakeDeferredReadLocked();
    }
    if (read) Read();
    EndStep();
  }

  void OnWritten(bool ok) {
    bool read = false;
    {
      MutexLock lock(&mutex_);
      outgoing_.pop_front();
      if (!ok) outgoing_.clear();
      if (!outgoing_.empty() && !finished_) WriteLocked();
      FinishIfIdleLocked();
      read = TakeDeferredReadLocked();
    }
    if (read) Read();
    EndStep();
  }

  // The call has come to its end, or was cancelled.
  void OnOver(bool) {
    serving_.sessions->Remove(holder_, this);
    serving_.sessions->ChangeIdle(std::exchange(idle_bytes_, 0), 0);
    {
      MutexLock lock(&mutex_);
      FinishLocked(grpc::Status::CANCELLED);
    }
    EndStep();
  }

  void OnFinished(bool) { EndStep(); }

  bool TakeDeferredReadLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || outgoing_.size() >= kMaxWaitingAnswers ||
        slow_ >= kMaxSlow) {
      return false;
    }
    return std::exchange(read_deferred_, false);
  }

  void SendHeldNoticesLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (slow_ > 0) return;
    for (v1::SessionResponse& notice : held_notices_) {
      SendLocked(std::move(notice));
    }
    held_notices_.clear();
  }

  void SendLocked(v1::SessionResponse response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    if (outgoing_.size() + held_notices_.size() >= kMaxOutgoing) {
      context_.TryCancel();
      return;
    }
    outgoing_.push_back(std::move(response));
    if (outgoing_.size() == 1) WriteLocked();
  }

  // gRPC allows one write at a time: that of the front.
  void WriteLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++steps_;
    stream_.Write(outgoing_.front(), &written_);
  }

  // The client has said its last and has all its answers.
  void FinishIfIdleLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (reads_done_ && outgoing_.empty() && slow_ == 0) {
      FinishLocked(grpc::Status::OK);
    }
  }

  void FinishLocked(const grpc::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (std::exchange(finished_, true)) return;
    ++steps_;
    stream_.Finish(status, &finished_step_);
  }

  void EndStep() {
    {
      MutexLock lock(&mutex_);
      if (--steps_ > 0) return;
    }
    delete this;
  }

  const Serving& serving_;
  // Set when the call begins.
  HolderId holder_ = 0;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<v1::SessionResponse, v1::SessionRequest>
      stream_{&context_};
  // Belongs to the read under way.
  v1::SessionRequest request_;
  // As the client reported last. Belongs to the serving thread.
  uint64_t idle_bytes_ = 0;

  Mutex mutex_;
  // What gRPC and the workers are still to come back with.
  int steps_ ABSL_GUARDED_BY(mutex_) = 0;
  // The front belongs to the write under way.
  std::deque<v1::SessionResponse> outgoing_ ABSL_GUARDED_BY(mutex_);
  // A request is with the handlers, on the serving thread; and with workers.
  bool answering_ ABSL_GUARDED_BY(mutex_) = false;
  int slow_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<v1::SessionResponse> held_notices_ ABSL_GUARDED_BY(mutex_);
  bool read_deferred_ ABSL_GUARDED_BY(mutex_) = false;
  bool reads_done_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;

  Step begun_{this, &SessionCall::OnBegun};
  Step read_{this, &SessionCall::OnRead};
  Step written_{this, &SessionCall::OnWritten};
  Step finished_step_{this, &SessionCall::OnFinished};
  Step over_{this, &SessionCall::OnOver};
};

}  // namespace

void AwaitSession(const Serving& serving) { new SessionCall(serving); }

}  // namespace warmpool
