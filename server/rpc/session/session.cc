#include "server/rpc/session/session.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
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
#include "server/rpc/async_call.h"
#include "server/rpc/packed_message.h"
#include "server/rpc/session/session_answers.h"
#include "server/rpc/session/session_outbox.h"
#include "server/rpc/waiting_attach.h"
#include "server/wire/grpc_status.h"

namespace warmpool {
namespace {

// Attaches that wait: all of them may be answered at one stroke.
constexpr size_t kMaxAttaches = SessionOutbox::kMaxWaiting / 2;
// More than any machine has: the sum over all Sessions does not overflow.
constexpr uint64_t kMaxIdleBytes = uint64_t{1} << 46;
// A request of no more bytes keeps its memory for the next.
constexpr size_t kMaxKeptBytes = 512;
// More than there are; a report with more does not tell by size class.
constexpr int kMaxIdleClasses = 256;

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
class SessionCall final : public AsyncCall,
                          public SessionHub::Session,
                          private SessionOutbox::Wire {
 public:
  explicit SessionCall(const Serving& serving)
      : AsyncCall(serving.call_deps()),
        serving_(serving),
        outbox_(this, serving.accounts) {
    context().AsyncNotifyWhenDone(&over_);
    serving.service->RequestSession(&context(), &stream_, queue(), queue(),
                                    begun());
  }

  void Keep() override { ++steps_; }
  void SendNotice(const v1::SessionResponse& notice) override {
    outbox_.SendNotice(notice);
  }
  void Detach() override { EndStep(); }

 private:
  using Step = AsyncCall::Step<SessionCall>;

  void AwaitNext() override { AwaitSession(serving_); }

  void OnBegun(const absl::Status& admitted) override {
    // Ended by OnOver.
    ++steps_;
    outbox_.SetUid(caller().uid);
    if (!admitted.ok()) return outbox_.Finish(ToGrpcStatus(admitted));
    serving_.sessions->Add(caller().holder, this);
    Read();
  }

  // --- SessionOutbox::Wire ---
  void Write(const v1::SessionResponse& response) override {
    ++steps_;
    stream_.Write(Pack(response), &written_);
  }
  void Finish(const grpc::Status& status) override {
    ++steps_;
    stream_.Finish(status, &finished_step_);
  }
  void Cancel() override { context().TryCancel(); }

  void Read() {
    ++steps_;
    stream_.Read(&received_, &read_);
  }

  // Where nobody else reads on: if not now, then once there is room.
  void ReadOrDefer() {
    if (!keeps_memory_) request_ = v1::SessionRequest();
    read_deferred_ = true;
    ReadIfDeferred();
  }

  void ReadIfDeferred() {
    if (read_deferred_ && outbox_.MayRead() && read_deferred_.exchange(false)) {
      Read();
    }
  }

  void OnRead(bool ok) {
    if (!ok) {
      outbox_.EndReads();
      EndStep();
      return;
    }
    if (received_.Length() <= kMaxQuickBytes) {
      HandleRequest();
      EndStep();
      return;
    }
    // Not by the other workers: what they are at may wait for these releases.
    serving_.releaser->Run(caller().uid, [this] {
      HandleRequest();
      EndStep();
    });
  }

  void HandleRequest() {
    came_at_ = serving_.rpc_stats->Begin();
    progress_ = RequestProgress();
    // The client reconciles what of this it still needs.
    if (outbox_.finished()) return;
    keeps_memory_ = received_.Length() <= kMaxKeptBytes;
    const absl::Status unpacked = Unpack(&received_, &request_);
    if (!unpacked.ok()) return FinishUnread(unpacked);
    if (request_.released_size() > kMaxLeasesInRequest) {
      // There is no reply to say so in.
      return FinishUnread(absl::InvalidArgumentError(absl::StrCat(
          "a message of the Session releases ", request_.released_size(),
          " leases, at most ", kMaxLeasesInRequest, " go in one: split it")));
    }
    // Whoever waits for a lease that is ready does not wait for the releases
    // that came along too. A name, though, may be one that these give back.
    const bool leases_first =
        request_.has_lease() && !request_.lease().has_name();
    Released released = std::move(*request_.mutable_released());
    const bool answered = leases_first && AnswerIfReady();
    if (EndFew(released)) {
      CarryOut(released, answered);
      ReadOrDefer();
      return;
    }
    ++steps_;
    serving_.releaser->Run(caller().uid,
                           [this, released = std::move(released), answered] {
                             CarryOut(released, answered);
                             ReadOrDefer();
                             EndStep();
                           });
  }

  // Carries out neither this request nor another.
  void FinishUnread(const absl::Status& status) {
    request_ = v1::SessionRequest();
    outbox_.Finish(ToGrpcStatus(status));
  }

  // All that the request asks for, but a lease that was `answered`. Only after
  // that the next is read: it may count on these releases.
  using Released = google::protobuf::RepeatedPtrField<v1::LeaseRef>;
  void CarryOut(const Released& released, bool answered) {
    if (!released.empty()) {
      serving_.handlers->ReleaseQuietly(caller().holder, released);
    }
    if (request_.has_idle()) RecordIdle(request_.idle());
    const bool asks =
        request_.request_case() != v1::SessionRequest::REQUEST_NOT_SET ||
        request_.tag() != 0;
    if (asks && !answered) Answer();
  }

  void RecordIdle(v1::IdleReport idle) {
    idle.set_idle_bytes(std::min(idle.idle_bytes(), kMaxIdleBytes));
    if (!AddsUp(idle)) idle.clear_size_classes();
    v1::IdleReport before;
    {
      MutexLock lock(&mutex_);
      // Its bytes do not count any more.
      if (is_over_) return;
      before = std::exchange(idle_, idle);
    }
    serving_.sessions->ChangeIdle(caller().holder, before, idle);
  }

  void CountAnswer(const v1::SessionRequest& request, absl::Time begun,
                   const v1::SessionResponse& response) {
    const std::optional<Rpc> rpc = RpcOf(request);
    if (!rpc.has_value()) return;
    serving_.rpc_stats->Record(
        *rpc, begun,
        static_cast<absl::StatusCode>(response.reply().status().code()));
  }

  bool AnswerIfReady() {
    const uint64_t number = outbox_.BeginRequest();
    v1::SessionResponse response;
    const bool answered =
        AnswerAtOnce(*serving_.handlers, caller().holder, request_, &progress_,
                     response.mutable_reply());
    if (answered) CountAnswer(request_, came_at_, response);
    outbox_.EndRequest(
        number, answered ? std::optional(std::move(response)) : std::nullopt);
    return answered;
  }

  void Answer() {
    if (request_.has_attach()) {
      Attach();
      return;
    }
    const auto slow = std::make_shared<SlowRequest>();
    slow->number = outbox_.BeginRequest();
    slow->begun = came_at_;
    v1::SessionReply* const reply = slow->response.mutable_reply();
    if (AnswerAtOnce(*serving_.handlers, caller().holder, request_, &progress_,
                     reply)) {
      CountAnswer(request_, came_at_, slow->response);
      outbox_.EndRequest(slow->number, std::move(slow->response));
      return;
    }
    slow->worker =
        request_.has_release() ? serving_.releaser : serving_.workers;
    slow->request = std::move(request_);
    slow->progress = std::move(progress_);
    ++steps_;
    absl::Status waits = slow->charge.Take(serving_.accounts, caller().uid,
                                           UidAccounts::Resource::kHeldBytes,
                                           slow->request.SpaceUsedLong());
    if (waits.ok()) {
      waits = slow->worker->TryRun(caller().uid,
                                   [this, slow] { AnswerSlowly(slow); });
    }
    if (waits.ok()) return;
    Refuse(slow->request, waits, reply);
    EndSlowly(*slow);
  }

  // A request that workers have, or that waits for memory; a step of the
  // Session.
  struct SlowRequest {
    uint64_t number = 0;
    absl::Time begun;
    Workers* worker = nullptr;
    UidCharge charge;
    v1::SessionRequest request;
    v1::SessionResponse response;
    RequestProgress progress;
  };

  // Runs on a worker.
  void AnswerSlowly(const std::shared_ptr<SlowRequest>& slow) {
    // Nobody is there to be answered: the client asks again, or gives back what
    // it still has.
    if (outbox_.finished()) {
      EndStep();
      return;
    }
    const auto wake = [this, slow] {
      slow->worker->Run(caller().uid, [this, slow] { AnswerSlowly(slow); });
    };
    if (AnswerInFull(*serving_.handlers, caller().holder, slow->request,
                     {slow.get(), wake, &slow->progress},
                     slow->response.mutable_reply())) {
      EndSlowly(*slow);
    }
  }

  void EndSlowly(SlowRequest& slow) {
    slow.progress = RequestProgress();
    CountAnswer(slow.request, slow.begun, slow.response);
    outbox_.EndRequest(slow.number, std::move(slow.response));
    ReadIfDeferred();
    EndStep();
  }

  // An Attach of this Session; a step of it.
  class SessionAttach final : public WaitingAttach {
   public:
    SessionAttach(SessionCall* call, const v1::SessionRequest& request)
        : WaitingAttach(call->serving_.handlers, call->serving_.rpc_stats,
                        call->caller().holder, request.attach()),
          call_(*call),
          tag_(request.tag()) {}

   protected:
    // Each try is a step: while it goes on to wait, the attach may be
    // cancelled.
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
    // What nobody knows is not kept while it waits.
    request_.mutable_attach()->DiscardUnknownFields();
    const auto attach = std::make_shared<SessionAttach>(this, request_);
    bool added = false;
    {
      MutexLock lock(&mutex_);
      added = attaches_.size() < kMaxAttaches;
      if (added) attaches_.insert(attach);
    }
    if (!added) return RefuseAttach();
    ++steps_;
    outbox_.BeginWait();
    attach->Try();
    // Had the call come to its end before, nobody would cancel it.
    bool over = false;
    {
      MutexLock lock(&mutex_);
      over = is_over_;
    }
    if (over) attach->Cancel();
  }

  void RefuseAttach() {
    v1::SessionResponse answer;
    Refuse(request_,
           absl::ResourceExhaustedError(absl::StrCat(
               "this Session waits for ", kMaxAttaches,
               " buffers already: let another client wait for more")),
           answer.mutable_reply());
    outbox_.SendAnswer(std::move(answer));
  }

  uint64_t BeginTry() {
    ++steps_;
    return outbox_.BeginRequest();
  }

  void OnAttachTried(SessionAttach* attach, uint64_t number,
                     const std::optional<absl::Status>& status,
                     v1::AttachResponse* response) {
    std::optional<v1::SessionResponse> answer;
    if (status.has_value()) {
      AnswerAttach(attach->tag_, *status, response,
                   answer.emplace().mutable_reply());
    }
    outbox_.EndRequest(number, std::move(answer));
    ReadIfDeferred();
    if (status.has_value()) EndAttach(attach);
    EndStep();
  }

  void EndAttach(SessionAttach* attach) {
    {
      MutexLock lock(&mutex_);
      attaches_.erase(attach->shared_from_this());
    }
    outbox_.EndWait();
    EndStep();
  }

  void OnWritten(bool ok) {
    outbox_.OnWritten(ok);
    ReadIfDeferred();
    EndStep();
  }

  // The call has come to its end, or was cancelled.
  void OnOver(bool) {
    serving_.sessions->Remove(caller().holder, this);
    outbox_.Finish(grpc::Status::CANCELLED);
    v1::IdleReport idle;
    Attaches attaches;
    {
      MutexLock lock(&mutex_);
      is_over_ = true;
      idle = std::exchange(idle_, v1::IdleReport());
      attaches.swap(attaches_);
    }
    serving_.sessions->ChangeIdle(caller().holder, idle, v1::IdleReport());
    if (attaches.size() <= static_cast<size_t>(kFewLeases)) {
      CancelAll(attaches);
    } else {
      ++steps_;
      serving_.workers->Run(caller().uid,
                            [this, attaches = std::move(attaches)] {
                              CancelAll(attaches);
                              EndStep();
                            });
    }
    EndStep();
  }

  using Attaches = std::set<std::shared_ptr<WaitingAttach>>;
  static void CancelAll(const Attaches& attaches) {
    for (const auto& attach : attaches) attach->Cancel();
  }

  void OnFinished(bool) { EndStep(); }

  void EndStep() {
    if (--steps_ == 0) delete this;
  }

  const Serving& serving_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{
      &context()};
  SessionOutbox outbox_;
  // Belongs to the read under way.
  grpc::ByteBuffer received_;
  // Belong to whoever carries it out.
  v1::SessionRequest request_;
  RequestProgress progress_;
  // For the next request; a long one gives its own back.
  bool keeps_memory_ = true;
  // When it came.
  absl::Time came_at_;
  // What gRPC, the workers and the hub are still to come back with.
  std::atomic<int> steps_ = 0;
  // There is no read under way, and nobody carries out a request.
  std::atomic<bool> read_deferred_ = false;

  Mutex mutex_;
  // As the client reported last.
  v1::IdleReport idle_ ABSL_GUARDED_BY(mutex_);
  // Those that are not answered yet.
  Attaches attaches_ ABSL_GUARDED_BY(mutex_);
  bool is_over_ ABSL_GUARDED_BY(mutex_) = false;

  Step read_{this, &SessionCall::OnRead};
  Step written_{this, &SessionCall::OnWritten};
  Step finished_step_{this, &SessionCall::OnFinished};
  Step over_{this, &SessionCall::OnOver};
};

}  // namespace

void AwaitSession(const Serving& serving) { new SessionCall(serving); }

}  // namespace warmpool
