// UnaryCall: one call of an RPC with one request and one answer, from before it
// comes until gRPC is done with it.
#ifndef WARMPOOL_SERVER_UNARY_CALL_H_
#define WARMPOOL_SERVER_UNARY_CALL_H_

#include <grpcpp/grpcpp.h>

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/pool/lease.h"
#include "server/grpc_status.h"
#include "server/serving.h"

namespace warmpool {

template <typename Request, typename Response>
struct UnaryMethod {
  using Service = v1::MemoryPool::AsyncService;
  Rpc rpc;
  // Service::RequestX.
  void (Service::*await)(grpc::ServerContext*, Request*,
                         grpc::ServerAsyncResponseWriter<Response>*,
                         grpc::CompletionQueue*, grpc::ServerCompletionQueue*,
                         void*);
  // On the serving thread; nullopt: it takes longer.
  std::optional<absl::Status> (*handle_at_once)(Handlers&, HolderId,
                                                const Request&, Response*);
  // By one of these, where it does; nullopt: it waits, to be called again.
  std::optional<absl::Status> (*handle)(Handlers&, HolderId, const Request&,
                                        const Waiter&, Response*);
  Workers* Serving::*workers;
  // Once an answer that is OK is on its way. Null: nothing.
  void (Handlers::*on_answered)() = nullptr;
};

// Deletes itself. There is always one that waits for its call: it makes the
// next when it has one.
template <typename Request, typename Response>
class UnaryCall final : public ServingQueue::Event {
 public:
  using Method = UnaryMethod<Request, Response>;

  // `method` must outlive the service.
  static void Await(const Serving& serving, const Method& method) {
    auto* const call = new UnaryCall(serving, method);
    (serving.service->*method.await)(
        &call->context_, &call->request_, &call->writer_,
        serving.queue->queue(), serving.queue->queue(), call);
  }

  void Happened(bool ok) override {
    // Answered, or the server shuts down before a call has come.
    if (begun_ != absl::InfinitePast() || !ok) {
      if (succeeded_ && method_.on_answered != nullptr) {
        (serving_.handlers->*method_.on_answered)();
      }
      delete this;
      return;
    }
    begun_ = serving_.rpc_stats->Begin();
    Await(serving_, method_);
    Answer();
  }

 private:
  UnaryCall(const Serving& serving, const Method& method)
      : hold_(serving.queue), serving_(serving), method_(method) {}
  ~UnaryCall() = default;

  void Answer() {
    // While the call is new its connection is sure to be there.
    const absl::StatusOr<Caller> caller =
        serving_.holders->Resolve(context_.peer());
    if (!caller.ok()) return Finish(caller.status());
    caller_ = *caller;
    const absl::Status charged = charge_.Take(
        serving_.accounts, caller_.uid, UidAccounts::Resource::kCalls);
    if (!charged.ok()) return Finish(charged);
    // Finished, this may be gone.
    ServingShare& share = *serving_.share;
    const uid_t uid = caller_.uid;
    const absl::Time begun = begun_;
    const size_t bytes = request_.SpaceUsedLong();
    if (!share.IsUsedUp(uid, begun)) {
      const std::optional<absl::Status> status = method_.handle_at_once(
          *serving_.handlers, caller_.holder, request_, &response_);
      if (status.has_value()) {
        Finish(*status);
        share.Charge(uid, begun, bytes);
        return;
      }
    }
    HandOver(bytes);
    share.Charge(uid, begun, bytes);
  }

  // To a worker.
  void HandOver(size_t bytes) {
    absl::Status waits =
        held_.Take(serving_.accounts, caller_.uid,
                   UidAccounts::Resource::kHeldBytes, bytes);
    if (waits.ok()) {
      waits = (serving_.*method_.workers)
                  ->TryRun(caller_.uid, [this] { Handle(); });
    }
    if (!waits.ok()) Finish(waits);
  }

  // Runs on a worker.
  void Handle() {
    const auto wake = [this] {
      (serving_.*method_.workers)->Run(caller_.uid, [this] { Handle(); });
    };
    const std::optional<absl::Status> status =
        method_.handle(*serving_.handlers, caller_.holder, request_,
                       {this, wake, &wait_until_}, &response_);
    if (status.has_value()) Finish(*status);
  }

  // Afterwards the serving thread may delete this.
  void Finish(const absl::Status& status) {
    serving_.rpc_stats->Record(method_.rpc, begun_, status.code());
    succeeded_ = status.ok();
    // A client that does not read its answer keeps the call, but no more.
    request_ = Request();
    const Response response = std::move(response_);
    if (status.ok()) {
      writer_.Finish(response, grpc::Status::OK, this);
    } else {
      writer_.FinishWithError(ToGrpcStatus(status), this);
    }
  }

  const ServingQueue::Hold hold_;
  const Serving& serving_;
  const Method& method_;
  grpc::ServerContext context_;
  // Set when the call begins.
  Caller caller_;
  UidCharge charge_;
  UidCharge held_;
  Request request_;
  Response response_;
  absl::Time wait_until_ = absl::InfinitePast();
  grpc::ServerAsyncResponseWriter<Response> writer_{&context_};
  absl::Time begun_ = absl::InfinitePast();
  bool succeeded_ = false;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_UNARY_CALL_H_
