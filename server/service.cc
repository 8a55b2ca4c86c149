#include "server/service.h"

#include "server/conversion.h"
#include "server/grpc_status.h"
#include "server/watch_stats.h"

namespace warmpool {
namespace {

// Ends a stream at once with an error.
template <typename Reactor>
class RefusedStream final : public Reactor {
 public:
  explicit RefusedStream(const absl::Status& status) {
    this->Finish(ToGrpcStatus(status));
  }
  void OnDone() override { delete this; }
};

}  // namespace

template <typename Request, typename Response>
grpc::ServerUnaryReactor* MemoryPoolService::Answer(
    grpc::CallbackServerContext* context,
    absl::Status (Handlers::*handle)(HolderId, const Request&, Response*),
    const Request& request, Response* response) {
  const absl::StatusOr<HolderId> holder = holders_.Resolve(context->peer());
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(
      holder.ok() ? (handlers_.*handle)(*holder, request, response)
                  : holder.status()));
  return reactor;
}

grpc::ServerUnaryReactor* MemoryPoolService::Lease(
    grpc::CallbackServerContext* context, const v1::LeaseRequest* request,
    v1::LeaseResponse* response) {
  return Answer(context, &Handlers::Lease, *request, response);
}

grpc::ServerUnaryReactor* MemoryPoolService::Attach(
    grpc::CallbackServerContext* context, const v1::AttachRequest* request,
    v1::AttachResponse* response) {
  return Answer(context, &Handlers::Attach, *request, response);
}

grpc::ServerUnaryReactor* MemoryPoolService::Release(
    grpc::CallbackServerContext* context, const v1::ReleaseRequest* request,
    v1::ReleaseResponse* response) {
  return Answer(context, &Handlers::Release, *request, response);
}

grpc::ServerUnaryReactor* MemoryPoolService::Renew(
    grpc::CallbackServerContext* context, const v1::RenewRequest* request,
    v1::RenewResponse* response) {
  return Answer(context, &Handlers::Renew, *request, response);
}

grpc::ServerUnaryReactor* MemoryPoolService::Assert(
    grpc::CallbackServerContext* context, const v1::AssertRequest* request,
    v1::AssertResponse* response) {
  return Answer(context, &Handlers::Assert, *request, response);
}

grpc::ServerUnaryReactor* MemoryPoolService::ListBuffers(
    grpc::CallbackServerContext* context,
    const v1::ListBuffersRequest* request,
    v1::ListBuffersResponse* response) {
  return Answer(context, &Handlers::ListBuffers, *request, response);
}

grpc::ServerUnaryReactor* MemoryPoolService::GetStats(
    grpc::CallbackServerContext* context, const v1::GetStatsRequest* request,
    v1::GetStatsResponse* response) {
  return Answer(context, &Handlers::GetStats, *request, response);
}

grpc::ServerUnaryReactor* MemoryPoolService::Shutdown(
    grpc::CallbackServerContext* context, const v1::ShutdownRequest* request,
    v1::ShutdownResponse* response) {
  return Answer(context, &Handlers::Shutdown, *request, response);
}

grpc::ServerWriteReactor<v1::GetStatsResponse>* MemoryPoolService::WatchStats(
    grpc::CallbackServerContext* context,
    const v1::WatchStatsRequest* request) {
  using Refused = RefusedStream<grpc::ServerWriteReactor<v1::GetStatsResponse>>;
  const absl::StatusOr<HolderId> holder = holders_.Resolve(context->peer());
  if (!holder.ok()) return new Refused(holder.status());
  const absl::StatusOr<absl::Duration> interval = WatchIntervalOf(*request);
  if (!interval.ok()) return new Refused(interval.status());
  return ServeWatchStats(*holder, *interval, &handlers_);
}

grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>*
MemoryPoolService::Session(grpc::CallbackServerContext* context) {
  const absl::StatusOr<HolderId> holder = holders_.Resolve(context->peer());
  if (!holder.ok()) {
    return new RefusedStream<
        grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>>(
        holder.status());
  }
  return ServeSession(*holder, &hub_, &handlers_);
}

}  // namespace warmpool
