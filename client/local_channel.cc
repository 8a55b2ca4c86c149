#include "client/local_channel.h"

#include <grpc/support/time.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/support/channel_arguments.h>

namespace warmpool {

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
