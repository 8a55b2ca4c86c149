#include "server/session.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "server/grpc_status.h"
#include "server/session_answers.h"
#include "server/waiting_attach.h"

namespace warmpool {
namespace {

// Answers that wait for their client to read: with more no request is read.
constexpr size_t kMaxWaitingAnswers = 64;
// With more answers or notices in the way the stream is ended.
constexpr size_t kMaxOutgoing = 16384;
// Attaches that wait: all of them may be answered at one stroke.
constexpr size_t kMaxAttaches = kMaxOutgoing / 2;
// More than any machine has: the sum over all Sessions does not overflow.
constexpr uint64_t kMaxIdleBytes = uint64_t{1} << 46;
// More than there are; a report with more does not tell by size class.
constexpr int kMaxIdleClasses = 256;
// Requests of one Session that workers have or wait for.
constexpr size_t kMaxSlow = 16;

// Whether the size classes are such as there can be, and what is idle in all.
bool AddsUp(const v1::IdleReport& idle) {
  if (idle.size_classes_size() > kMaxIdleClasses) return false;
  uint64_t bytes = 0;
  for (const v1::IdleReport::SizeClass& one : idle.size_classes()) {
    if (one.segment_bytes() == 0 ||
        one.idle_leases() > kMaxIdleBytes / one.segment_bytes()) {
      return false;
    }
    bytes += one.segment_bytes() * one.idle_leases();
  }
  return bytes == idle.idle_bytes();
}

// Deletes itself once gRPC and the workers are done with it.
class SessionCall final : public SessionHub::Session {
 public:
  explicit SessionCall(const Serving& serving)
      : hold_(serving.queue), serving_(serving) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* const queue = serving.queue->queue();
    serving.service->RequestSession(&context_, &stream_, queue, queue,
                                    &begun_);
  }

  void SendNotice(const v1::SessionResponse& notice) override {
    MutexLock lock(&mutex_);
    // A lease may end before its grant is on the way, and its holder must not
    // hear of the end first.
    if (!notice.has_revoked() || under_way_.empty()) {
      SendLocked(notice);
    } else if (held_notices_.size() < kMaxOutgoing) {
      held_notices_.push_back({last_request_, notice});
    } else {
      context_.TryCancel();
    }
  }

 private:
  using Step = MemberEvent<SessionCall>;

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
    came_at_ = serving_.rpc_stats->Begin();
    {
      MutexLock lock(&mutex_);
      // The client reconciles what of this it still needs.
      if (finished_) return;
    }
    // Whoever waits for a lease that is ready does not wait for the releases
    // that came along too. A name, though, may be one that these give back.
    const bool leases_first =
        request_.has_lease() && !request_.lease().has_name();
    google::protobuf::RepeatedPtrField<v1::LeaseRef> released =
        std::move(*request_.mutable_released());
    const bool answered = leases_first && AnswerIfReady();
    if (released.size() <= kFewReleases) {
      CarryOut(released, answered);
      return;
    }
    {
      MutexLock lock(&mutex_);
      ++steps_;
    }
    serving_.releaser->Run([this, released = std::move(released), answered] {
      CarryOut(released, answered);
      EndStep();
    });
  }

  // All that the request asks for, but a lease that was `answered`. Only then
  // the next is read: it may count on these releases.
  void CarryOut(const google::protobuf::RepeatedPtrField<v1::LeaseRef>& released,
                bool answered) {
    if (!released.empty()) {
      serving_.handlers->ReleaseQuietly(holder_, released);
    }
    if (request_.has_idle()) NoteIdle(request_.idle());
    const bool asks =
        request_.request_case() != v1::SessionRequest::REQUEST_NOT_SET ||
        request_.tag() != 0;
    if (asks && !answered) Answer();
    {
      MutexLock lock(&mutex_);
      if (finished_) return;
      if (outgoing_.size() >= kMaxWaitingAnswers ||
          under_way_.size() >= kMaxSlow) {
        read_deferred_ = true;
        return;
      }
    }
    Read();
  }

  void NoteIdle(v1::IdleReport idle) {
    idle.set_idle_bytes(std::min(idle.idle_bytes(), kMaxIdleBytes));
    if (!AddsUp(idle)) idle.clear_size_classes();
    v1::IdleReport before;
    {
      MutexLock lock(&mutex_);
      // Its bytes do not count any more.
      if (finished_) return;
      before = std::exchange(idle_, idle);
    }
    serving_.sessions->ChangeIdle(holder_, before, idle);
  }

  void CountAnswer(const v1::SessionRequest& request, absl::Time begun,
                   const v1::SessionResponse& response) {
    const std::optional<Rpc> rpc = RpcOf(request);
    if (!rpc.has_value()) return;
    serving_.rpc_stats->Record(
        *rpc, begun,
        static_cast<absl::StatusCode>(response.reply().status().code()));
  }

  uint64_t BeginRequest() {
    MutexLock lock(&mutex_);
    under_way_.insert(++last_request_);
    return last_request_;
  }

  bool AnswerIfReady() {
    const uint64_t number = BeginRequest();
    v1::SessionResponse response;
    const bool answered = AnswerAtOnce(*serving_.handlers, holder_, request_,
                                       response.mutable_reply());
    if (answered) CountAnswer(request_, came_at_, response);
    MutexLock lock(&mutex_);
    EndRequestLocked(number, answered ? &response : nullptr);
    return answered;
  }

  void Answer() {
    if (request_.has_attach()) {
      Attach();
      return;
    }
    const uint64_t number = BeginRequest();
    v1::SessionResponse response;
    const bool answered = AnswerAtOnce(*serving_.handlers, holder_, request_,
                                       response.mutable_reply());
    if (answered) CountAnswer(request_, came_at_, response);
    {
      MutexLock lock(&mutex_);
      if (answered) {
        EndRequestLocked(number, &response);
        return;
      }
      ++steps_;
    }
    Workers* const worker =
        request_.has_release() ? serving_.releaser : serving_.workers;
    worker->Run(
        [this, number, begun = came_at_,
         request =
             std::make_shared<v1::SessionRequest>(std::move(request_))] {
          AnswerSlowly(number, begun, *request);
        });
  }

  // An Attach of this Session; a step of it.
  class SessionAttach final : public WaitingAttach {
   public:
    SessionAttach(SessionCall* call, const v1::SessionRequest& request)
        : WaitingAttach(call->serving_.handlers, call->serving_.rpc_stats,
                        call->holder_, request.attach()),
          call_(*call),
          tag_(request.tag()) {}

   protected:
    // Each try is a step: while it goes on to wait, the attach may be cancelled.
    uint64_t OnTry() override { return call_.BeginTry(); }
    void OnTried(uint64_t number, std::optional<absl::Status> status,
                 v1::AttachResponse* response) override {
      call_.OnAttachTried(this, number, status, response);
    }
    void OnCancelled() override { call_.EndAttach(this); }

   private:
    friend class SessionCall;
    SessionCall& call_;
    const uint64_t tag_;
  };

  void Attach() {
    const auto attach = std::make_shared<SessionAttach>(this, request_);
    {
      MutexLock lock(&mutex_);
      if (attaches_.size() >= kMaxAttaches) {
        RefuseAttachLocked();
        return;
      }
      ++steps_;
      attaches_.insert(attach);
    }
    attach->Try();
    // Had the call come to its end before, nobody would cancel it.
    bool over = false;
    {
      MutexLock lock(&mutex_);
      over = finished_;
    }
    if (over) attach->Cancel();
  }

  void RefuseAttachLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::SessionResponse answer;
    v1::AttachResponse none;
    AnswerAttach(request_.tag(),
                 absl::ResourceExhaustedError(absl::StrCat(
                     "this Session waits for ", kMaxAttaches,
                     " buffers already: let another client wait for more")),
                 &none, answer.mutable_reply());
    SendLocked(std::move(answer));
  }

  uint64_t BeginTry() {
    MutexLock lock(&mutex_);
    ++steps_;
    under_way_.insert(++last_request_);
    return last_request_;
  }

  void OnAttachTried(SessionAttach* attach, uint64_t number,
                     const std::optional<absl::Status>& status,
                     v1::AttachResponse* response) {
    v1::SessionResponse answer;
    if (status.has_value()) {
      AnswerAttach(attach->tag_, *status, response, answer.mutable_reply());
    }
    bool read = false;
    {
      MutexLock lock(&mutex_);
      EndRequestLocked(number, status.has_value() ? &answer : nullptr);
      FinishIfIdleLocked();
      read = TakeDeferredReadLocked();
    }
    if (read) Read();
    if (status.has_value()) EndAttach(attach);
    EndStep();
  }

  void EndAttach(SessionAttach* attach) {
    {
      MutexLock lock(&mutex_);
      attaches_.erase(attach->shared_from_this());
      FinishIfIdleLocked();
    }
    EndStep();
  }

  // Runs on a worker.
  void AnswerSlowly(uint64_t number, absl::Time begun,
                    const v1::SessionRequest& request) {
    v1::SessionResponse response;
    AnswerInFull(*serving_.handlers, holder_, request,
                 response.mutable_reply());
    CountAnswer(request, begun, response);
    bool read = false;
    {
      MutexLock lock(&mutex_);
      EndRequestLocked(number, &response);
      FinishIfIdleLocked();
      read = TakeDeferredReadLocked();
    }
    if (read) Read();
    EndStep();
  }

  // Sends the answer, if it has one by now, and the notices that waited for it.
  void EndRequestLocked(uint64_t number, v1::SessionResponse* response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (response != nullptr) SendLocked(std::move(*response));
    under_way_.erase(number);
    while (!held_notices_.empty() &&
           (under_way_.empty() ||
            *under_way_.begin() > held_notices_.front().after)) {
      SendLocked(std::move(held_notices_.front().notice));
      held_notices_.pop_front();
    }
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
    v1::IdleReport idle;
    Attaches attaches;
    {
      MutexLock lock(&mutex_);
      FinishLocked(grpc::Status::CANCELLED);
      idle = std::exchange(idle_, v1::IdleReport());
      attaches = attaches_;
    }
    for (const auto& attach : attaches) attach->Cancel();
    serving_.sessions->ChangeIdle(holder_, idle, v1::IdleReport());
    EndStep();
  }

  void OnFinished(bool) { EndStep(); }

  bool TakeDeferredReadLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || outgoing_.size() >= kMaxWaitingAnswers ||
        under_way_.size() >= kMaxSlow) {
      return false;
    }
    return std::exchange(read_deferred_, false);
  }

  void SendLocked(v1::SessionResponse response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    if (outgoing_.size() >= kMaxOutgoing) {
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
    if (reads_done_ && outgoing_.empty() && under_way_.empty() &&
        attaches_.empty()) {
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

  const ServingQueue::Hold hold_;
  const Serving& serving_;
  // Set when the call begins.
  HolderId holder_ = 0;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<v1::SessionResponse, v1::SessionRequest>
      stream_{&context_};
  // Belongs to the read under way, or to whoever carries it out.
  v1::SessionRequest request_;
  // When it came.
  absl::Time came_at_;

  Mutex mutex_;
  // What gRPC and the workers are still to come back with.
  int steps_ ABSL_GUARDED_BY(mutex_) = 0;
  // As the client reported last.
  v1::IdleReport idle_ ABSL_GUARDED_BY(mutex_);
  // The front belongs to the write under way.
  std::deque<v1::SessionResponse> outgoing_ ABSL_GUARDED_BY(mutex_);
  // Requests are numbered as they come; those whose answers are being made.
  uint64_t last_request_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<uint64_t> under_way_ ABSL_GUARDED_BY(mutex_);
  struct HeldNotice {
    // Goes out once all requests up to this have their answers.
    uint64_t after;
    v1::SessionResponse notice;
  };
  std::deque<HeldNotice> held_notices_ ABSL_GUARDED_BY(mutex_);
  // Those that are not answered yet.
  using Attaches = std::set<std::shared_ptr<WaitingAttach>>;
  Attaches attaches_ ABSL_GUARDED_BY(mutex_);
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
