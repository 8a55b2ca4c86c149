// UnaryCall: one call of an RPC with one request and one answer, from before it
// comes until gRPC is done with it.
#ifndef WARMPOOL_SERVER_RPC_UNARY_CALL_H_
#define WARMPOOL_SERVER_RPC_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/lease/lease.h"
#include "server/rpc/async_call.h"
#include "server/rpc/packed_message.h"
#include "server/rpc/serving.h"
#include "server/wire/grpc_status.h"

namespace warmpool {

// AsyncService::RequestX.
using AwaitUnary = void (AsyncService::*)(
    grpc::ServerContext*, grpc::ByteBuffer*,
    grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>*, grpc::CompletionQueue*,
    grpc::ServerCompletionQueue*, void*);

template <typename Request, typename Response>
struct UnaryMethod {
  Rpc rpc;
  AwaitUnary await;
  // On the serving thread; nullopt: it takes longer.
  std::optional<absl::Status> (*handle_at_once)(Handlers&, HolderId,
                                                const Request&,
                                                RequestProgress*, Response*);
  // By one of these, where it does; nullopt: it waits, to be called again.
  std::optional<absl::Status> (*handle)(Handlers&, HolderId, const Request&,
                                        const Waiter&, Response*);
  Workers* Serving::*workers;
  // Once an answer that is OK is on its way. Null: nothing.
  void (Handlers::*on_answered)() = nullptr;
};

template <typename Request, typename Response>
class UnaryCall final : public AsyncCall {
 public:
  using Method = UnaryMethod<Request, Response>;

  // `method` must outlive the service.
  static void Await(const Serving& serving, const Method& method) {
    auto* const call = new UnaryCall(serving, method);
    (serving.service->*method.await)(&call->context(), &call->received_,
                                     &call->writer_, call->queue(),
                                     call->queue(), call->begun());
  }

 private:
  UnaryCall(const Serving& serving, const Method& method)
      : AsyncCall(serving.call_deps()), serving_(serving), method_(method) {}

  void AwaitNext() override { Await(serving_, method_); }

  void OnBegun(const absl::Status& admitted) override {
    came_at_ = serving_.rpc_stats->Begin();
    if (!admitted.ok()) return Finish(admitted);
    const size_t packed_bytes = received_.Length();
    if (packed_bytes > kMaxQuickBytes) return HandOver(packed_bytes);
    const absl::Status unpacked = Unpack(&received_, &request_);
    if (!unpacked.ok()) return Finish(unpacked);
    const std::optional<absl::Status> status = method_.handle_at_once(
        *serving_.handlers, caller().holder, request_, &progress_, &response_);
    if (status.has_value()) return Finish(*status);
    HandOver(request_.SpaceUsedLong());
  }

  // To a worker. `bytes`: what the request takes while it waits.
  void HandOver(size_t bytes) {
    absl::Status waits = held_.Take(serving_.accounts, caller().uid,
                                    UidAccounts::Resource::kHeldBytes, bytes);
    if (waits.ok()) {
      waits = (serving_.*method_.workers)->TryRun(caller().uid, [this] {
        Handle();
      });
    }
    if (!waits.ok()) Finish(waits);
  }

  // Runs on a worker.
  void Handle() {
    if (received_.Valid()) {
      const absl::Status unpacked = Unpack(&received_, &request_);
      if (!unpacked.ok()) return Finish(unpacked);
      // What nobody knows is not kept while it waits.
      request_.DiscardUnknownFields();
    }
    const auto wake = [this] {
      (serving_.*method_.workers)->Run(caller().uid, [this] { Handle(); });
    };
    const std::optional<absl::Status> status =
        method_.handle(*serving_.handlers, caller().holder, request_,
                       {this, wake, &progress_}, &response_);
    if (status.has_value()) Finish(*status);
  }

  // Afterwards the serving thread may delete this.
  void Finish(const absl::Status& status) {
    serving_.rpc_stats->Record(method_.rpc, came_at_, status.code());
    succeeded_ = status.ok();
    // A client that does not read its answer keeps the call, but no more.
    progress_ = RequestProgress();
    request_ = Request();
    received_.Clear();
    const Response response = std::exchange(response_, Response());
    if (status.ok()) {
      writer_.Finish(Pack(response), grpc::Status::OK, &finished_);
    } else {
      writer_.FinishWithError(ToGrpcStatus(status), &finished_);
    }
  }

  void OnFinished(bool) {
    if (succeeded_ && method_.on_answered != nullptr) {
      (serving_.handlers->*method_.on_answered)();
    }
    delete this;
  }

  const Serving& serving_;
  const Method& method_;
  UidCharge held_;
  grpc::ByteBuffer received_;
  Request request_;
  Response response_;
  RequestProgress progress_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context()};
  absl::Time came_at_;
  bool succeeded_ = false;
  Step<UnaryCall> finished_{this, &UnaryCall::OnFinished};
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_UNARY_CALL_H_
