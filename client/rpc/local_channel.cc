#include "client/rpc/local_channel.h"

#include <grpc/grpc.h>
#include <grpc/support/time.h>
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <thread>

#include "core/base/thread.h"

namespace warmpool {
namespace {

// gRPC's pools have one for each processor, within bounds.
int PoolThreads(int at_most) {
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(processors, 2, at_most);
}

}  // namespace

absl::Status CheckGrpcThreads() {
  // Timers, executors and the like.
  constexpr int kOthers = 6;
  if (grpc_is_initialized() != 0) return absl::OkStatus();
  return CheckThreads(kOthers + PoolThreads(/*at_most=*/32));
}

GrpcUse::GrpcUse() {
  const bool first = grpc_is_initialized() == 0;
  grpc_init();
  if (!first) return;
  // The first timer that goes off takes one more thread, which stays.
  grpc::CompletionQueue queue;
  grpc::Alarm alarm;
  alarm.Set(&queue, GrpcDeadline(absl::Milliseconds(1)), nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
}

GrpcUse::~GrpcUse() {
  if (!ThreadWasRefused() && CheckThreads(1).ok()) grpc_shutdown();
}

absl::Status CheckCallbackThreads() {
  return CheckThreads(PoolThreads(/*at_most=*/16));
}

std::shared_ptr<grpc::Channel> MakeLocalChannel(const std::string& target,
                                                int fd) {
  grpc::ChannelArguments arguments;
  // No pings to measure a network that is not there.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return grpc::CreateCustomInsecureChannelFromFd(target, fd, arguments);
}

gpr_timespec GrpcDeadline(absl::Duration left) {
  if (left == absl::InfiniteDuration()) {
    return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  }
  return gpr_time_from_nanos(absl::ToInt64Nanoseconds(left), GPR_TIMESPAN);
}

}  // namespace warmpool
