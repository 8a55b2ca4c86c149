#include "server/clients/peer_format.h"

#include <errno.h>
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/base/mutex.h"

namespace warmpool {
namespace {

// Far more than it takes, on a machine that is busy with other things.
constexpr std::chrono::seconds kTimeLimit{10};

// Ends every call at once; remembers who made the last one.
class PeerService final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    {
      MutexLock lock(&mutex_);
      peer_ = context->peer();
    }
    return new Refusal;
  }

  std::string peer() const {
    MutexLock lock(&mutex_);
    return peer_;
  }

 private:
  class Refusal final : public grpc::ServerGenericBidiReactor {
   public:
    Refusal() { Finish(grpc::Status::OK); }
    void OnDone() override { delete this; }
  };

  mutable Mutex mutex_;
  std::string peer_ ABSL_GUARDED_BY(mutex_);
};

// Makes a call that has no answer but its end.
void CallOver(int fd) {
  grpc::GenericStub stub(grpc::CreateInsecureChannelFromFd("peer-format", fd));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTimeLimit);
  grpc::CompletionQueue queue;
  const grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  grpc::Status status;
  const auto call =
      stub.PrepareUnaryCall(&context, "/warmpool/PeerFormat", request, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
}

}  // namespace

std::optional<int> DescriptorIn(absl::string_view peer) {
  int fd = -1;
  if (absl::ConsumePrefix(&peer, "fd:") && absl::SimpleAtoi(peer, &fd) &&
      fd >= 0) {
    return fd;
  }
  return std::nullopt;
}

absl::Status CheckPeerFormat() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) <
      0) {
    return absl::ErrnoToStatus(errno, "can't make a socket pair");
  }
  PeerService service;
  grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    close(fds[0]);
    close(fds[1]);
    return absl::InternalError("gRPC server can't start");
  }
  const int served = fds[0];
  grpc::AddInsecureChannelFromFd(server.get(), served);
  CallOver(fds[1]);
  server->Shutdown();
  server->Wait();

  const std::string peer = service.peer();
  if (DescriptorIn(peer) == served) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("gRPC ", grpc::Version(), " calls the peer of descriptor ",
                   served, " \"", peer, "\", not \"fd:", served,
                   "\": no call could be told whose it is; use gRPC 1.51"));
}

}  // namespace warmpool
