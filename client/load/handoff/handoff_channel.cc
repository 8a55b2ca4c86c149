#include "client/load/handoff/handoff_channel.h"

#include <grpc/support/time.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

constexpr int kNoLimit = -1;

gpr_timespec Deadline(absl::Duration from_now) {
  return gpr_time_add(
      gpr_now(GPR_CLOCK_MONOTONIC),
      gpr_time_from_nanos(absl::ToInt64Nanoseconds(from_now), GPR_TIMESPAN));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> ConnectTo(
    const std::string& socket_path, absl::Duration deadline) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kNoLimit);
  arguments.SetMaxSendMessageSize(kNoLimit);
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(absl::StrCat("unix:", socket_path),
                                grpc::InsecureChannelCredentials(), arguments);
  if (channel->WaitForConnected(Deadline(deadline))) return channel;
  return absl::UnavailableError(absl::StrCat("no consumer accepts on ",
                                             socket_path, " within ",
                                             absl::FormatDuration(deadline)));
}

absl::StatusOr<std::unique_ptr<grpc::Server>> ServeOn(
    const std::string& socket_path, grpc::Service* service) {
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(kNoLimit);
  builder.SetMaxSendMessageSize(kNoLimit);
  builder.AddListeningPort(absl::StrCat("unix:", socket_path),
                           grpc::InsecureServerCredentials());
  builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server != nullptr) return server;
  return absl::UnavailableError(
      absl::StrCat("a consumer can't listen on ", socket_path));
}

void SetDeadline(absl::Duration from_now, grpc::ClientContext* context) {
  if (from_now == absl::InfiniteDuration()) return;
  context->set_deadline(Deadline(from_now));
}

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

}  // namespace warmpool
