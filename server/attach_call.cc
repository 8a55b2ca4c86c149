#include "server/attach_call.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "core/pool/lease.h"
#include "server/grpc_status.h"
#include "server/waiting_attach.h"

namespace warmpool {
namespace {

// Deletes itself once gRPC and the request are done with it.
class AttachCall final {
 public:
  explicit AttachCall(const Serving& serving)
      : hold_(serving.queue), serving_(serving) {
    context_.AsyncNotifyWhenDone(&over_);
    grpc::ServerCompletionQueue* const queue = serving.queue->queue();
    serving.service->RequestAttach(&context_, &request_, &writer_, queue, queue,
                                   &begun_);
  }

 private:
  using Step = MemberEvent<AttachCall>;

  class Attach final : public WaitingAttach {
   public:
    Attach(AttachCall* call, HolderId holder, v1::AttachRequest request)
        : WaitingAttach(call->serving_.handlers, call->serving_.rpc_stats,
                        holder, std::move(request)),
          call_(*call) {}

   protected:
    uint64_t OnTry() override { return 0; }
    void OnTried(uint64_t, std::optional<absl::Status> status,
                 v1::AttachResponse* response) override {
      if (status.has_value()) call_.Finish(*status, *response);
    }
    void OnCancelled() override {
      call_.Finish(absl::CancelledError(""), v1::AttachResponse());
    }

   private:
    AttachCall& call_;
  };

  void OnBegun(bool ok) {
    // The server shuts down; nothing else was asked for.
    if (!ok) {
      delete this;
      return;
    }
    AwaitAttach(serving_);
    const absl::StatusOr<Caller> caller =
        serving_.holders->Resolve(context_.peer());
    if (!caller.ok()) return Finish(caller.status(), v1::AttachResponse());
    const absl::Status charged = charge_.Take(
        serving_.accounts, caller->uid, UidAccounts::Resource::kCalls);
    if (!charged.ok()) return Finish(charged, v1::AttachResponse());
    // What nobody knows is not kept while it waits.
    request_.DiscardUnknownFields();
    attach_ =
        std::make_shared<Attach>(this, caller->holder, std::move(request_));
    const absl::Time begun = serving_.rpc_stats->Begin();
    // Once it is answered, this may be gone.
    ServingShare& share = *serving_.share;
    const uid_t uid = caller->uid;
    if (share.IsUsedUp(uid, begun)) {
      serving_.workers->Run(uid, [attach = attach_] { attach->Try(); });
    } else {
      attach_->Try();
    }
    share.Charge(uid, begun, /*request_bytes=*/0);
  }

  // By any thread. Afterwards the serving thread may delete this.
  void Finish(const absl::Status& status, const v1::AttachResponse& response) {
    if (status.ok()) {
      writer_.Finish(response, grpc::Status::OK, &finished_);
    } else {
      writer_.FinishWithError(ToGrpcStatus(status), &finished_);
    }
  }

  void OnOver(bool) {
    is_over_ = true;
    // Its caller gave up, unless it is answered.
    if (attach_ != nullptr) attach_->Cancel();
    DeleteIfDone();
  }

  void OnFinished(bool) {
    is_finished_ = true;
    DeleteIfDone();
  }

  void DeleteIfDone() {
    if (is_over_ && is_finished_) delete this;
  }

  const ServingQueue::Hold hold_;
  const Serving& serving_;
  grpc::ServerContext context_;
  UidCharge charge_;
  v1::AttachRequest request_;
  grpc::ServerAsyncResponseWriter<v1::AttachResponse> writer_{&context_};
  std::shared_ptr<Attach> attach_;
  bool is_over_ = false;
  bool is_finished_ = false;

  Step begun_{this, &AttachCall::OnBegun};
  Step finished_{this, &AttachCall::OnFinished};
  Step over_{this, &AttachCall::OnOver};
};

}  // namespace

void AwaitAttach(const Serving& serving) { new AttachCall(serving); }

}  // namespace warmpool
