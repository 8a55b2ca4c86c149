#include "server/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

namespace warmpool {
namespace {

// A request is a few hundred bytes; the largest are releases of many leases.
constexpr int kMaxRequestBytes = 64 << 10;
// What all connections together may buffer.
constexpr size_t kMaxBufferedBytes = size_t{64} << 20;
// A blocking client with no call under way does not answer pings, so pings are
// rare and sent only where calls are under way.
constexpr int kKeepaliveMilliseconds = 20'000;

}  // namespace

std::unique_ptr<grpc::Server> StartGrpcServer(grpc::Service* service,
                                              bool reflection) {
  grpc::EnableDefaultHealthCheckService(true);
  if (reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  grpc::ResourceQuota quota("warmpoold");
  quota.Resize(kMaxBufferedBytes);
  grpc::ServerBuilder builder;
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             kKeepaliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             kKeepaliveMilliseconds);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  builder.RegisterService(service);
  return builder.BuildAndStart();
}

}  // namespace warmpool
