#include "server/rpc/attach_call.h"

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "core/lease/lease.h"
#include "server/rpc/async_call.h"
#include "server/rpc/packed_message.h"
#include "server/rpc/waiting_attach.h"
#include "server/wire/grpc_status.h"

namespace warmpool {
namespace {

class AttachCall final : public AsyncCall {
 public:
  explicit AttachCall(const Serving& serving)
      : AsyncCall(serving.call_deps()), serving_(serving) {
    context().AsyncNotifyWhenDone(&over_);
    serving.service->RequestAttach(&context(), &received_, &writer_, queue(),
                                   queue(), begun());
  }

 private:
  using Step = AsyncCall::Step<AttachCall>;

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

  void AwaitNext() override { AwaitAttach(serving_); }

  void OnBegun(const absl::Status& admitted) override {
    absl::Status unpacked = admitted;
    v1::AttachRequest request;
    if (unpacked.ok()) unpacked = UnpackShort(&received_, &request);
    if (!unpacked.ok()) return Finish(unpacked, v1::AttachResponse());
    // What nobody knows is not kept while it waits.
    request.DiscardUnknownFields();
    attach_ =
        std::make_shared<Attach>(this, caller().holder, std::move(request));
    attach_->Try();
  }

  // By any thread. Afterwards the serving thread may delete this.
  void Finish(const absl::Status& status, const v1::AttachResponse& response) {
    received_.Clear();
    if (status.ok()) {
      writer_.Finish(Pack(response), grpc::Status::OK, &finished_);
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

  const Serving& serving_;
  grpc::ByteBuffer received_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context()};
  std::shared_ptr<Attach> attach_;
  bool is_over_ = false;
  bool is_finished_ = false;

  Step finished_{this, &AttachCall::OnFinished};
  Step over_{this, &AttachCall::OnOver};
};

}  // namespace

void AwaitAttach(const Serving& serving) { new AttachCall(serving); }

}  // namespace warmpool
