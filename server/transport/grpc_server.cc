#include "server/transport/grpc_server.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

namespace warmpool {
namespace {

// A request is a few hundred bytes; the largest are releases of many leases.
constexpr int kMaxRequestBytes = 64 << 10;
// What all connections together may buffer.
constexpr size_t kMaxBufferedBytes = size_t{64} << 20;
// Calls that one connection may have under way; gRPC's clients let more wait.
// The library needs a handful.
constexpr int kMaxCallsPerConnection = 1000;

// For a channel argument, where the largest int means never.
int MillisecondsOf(absl::Duration duration) {
  constexpr int kMost = std::numeric_limits<int>::max();
  if (duration >= absl::Milliseconds(kMost)) return kMost;
  return std::max(static_cast<int>(absl::ToInt64Milliseconds(duration)), 1);
}

// The reflection library adds itself to every server of a program that is
// linked with it (gRPC 1.51); this takes it out again.
class WithoutReflection final : public grpc::ServerBuilderOption {
 public:
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>*
                         plugins) override {
    std::erase_if(*plugins, [](const auto& plugin) {
      return plugin->name() == "proto_server_reflection";
    });
  }
};

}  // namespace

std::unique_ptr<grpc::Server> StartGrpcServer(
    const std::vector<grpc::Service*>& services,
    const GrpcServerOptions& options,
    std::unique_ptr<grpc::ServerCompletionQueue>* queue) {
  // See HealthService.
  grpc::EnableDefaultHealthCheckService(false);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();

  grpc::ResourceQuota quota("warmpoold");
  quota.Resize(kMaxBufferedBytes);
  grpc::ServerBuilder builder;
  if (!options.reflection) {
    builder.SetOption(std::make_unique<WithoutReflection>());
  }
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  // What a few bytes unpack to nobody has counted.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
  // A stream's window stays as large as one request: by itself gRPC lets it
  // grow to megabytes, for throughput that nobody needs here.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES,
                             kMaxRequestBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                             kMaxCallsPerConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             MillisecondsOf(options.ping_interval));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             MillisecondsOf(options.ping_timeout));
  // A blocking client with no call under way does not answer pings.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 0);
  for (grpc::Service* const service : services) {
    builder.RegisterService(service);
  }
  *queue = builder.AddCompletionQueue();
  return builder.BuildAndStart();
}

}  // namespace warmpool
