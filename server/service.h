// MemoryPoolService: the gRPC face of the handlers, in the callback style. One
// short method per RPC: find the holder, handle, finish.
#ifndef WARMPOOL_SERVER_SERVICE_H_
#define WARMPOOL_SERVER_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "server/handlers.h"
#include "server/holder_registry.h"
#include "server/session.h"

namespace warmpool {

class MemoryPoolService final : public v1::MemoryPool::CallbackService {
 public:
  // What is pointed to must outlive this and the server it is registered at.
  MemoryPoolService(HolderRegistry* holders, Handlers* handlers,
                    SessionHub* hub)
      : holders_(*holders), handlers_(*handlers), hub_(*hub) {}

  grpc::ServerUnaryReactor* Lease(grpc::CallbackServerContext* context,
                                  const v1::LeaseRequest* request,
                                  v1::LeaseResponse* response) override;
  grpc::ServerUnaryReactor* Attach(grpc::CallbackServerContext* context,
                                   const v1::AttachRequest* request,
                                   v1::AttachResponse* response) override;
  grpc::ServerUnaryReactor* Release(grpc::CallbackServerContext* context,
                                    const v1::ReleaseRequest* request,
                                    v1::ReleaseResponse* response) override;
  grpc::ServerUnaryReactor* Renew(grpc::CallbackServerContext* context,
                                  const v1::RenewRequest* request,
                                  v1::RenewResponse* response) override;
  grpc::ServerUnaryReactor* Assert(grpc::CallbackServerContext* context,
                                   const v1::AssertRequest* request,
                                   v1::AssertResponse* response) override;
  grpc::ServerUnaryReactor* ListBuffers(
      grpc::CallbackServerContext* context,
      const v1::ListBuffersRequest* request,
      v1::ListBuffersResponse* response) override;
  grpc::ServerUnaryReactor* GetStats(grpc::CallbackServerContext* context,
                                     const v1::GetStatsRequest* request,
                                     v1::GetStatsResponse* response) override;
  grpc::ServerUnaryReactor* Shutdown(grpc::CallbackServerContext* context,
                                     const v1::ShutdownRequest* request,
                                     v1::ShutdownResponse* response) override;
  grpc::ServerWriteReactor<v1::GetStatsResponse>* WatchStats(
      grpc::CallbackServerContext* context,
      const v1::WatchStatsRequest* request) override;
  grpc::ServerBidiReactor<v1::SessionRequest, v1::SessionResponse>* Session(
      grpc::CallbackServerContext* context) override;

 private:
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* Answer(
      grpc::CallbackServerContext* context,
      absl::Status (Handlers::*handle)(HolderId, const Request&, Response*),
      const Request& request, Response* response);

  HolderRegistry& holders_;
  Handlers& handlers_;
  SessionHub& hub_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SERVICE_H_
