#include "server/transport/transport.h"

#include <grpc/grpc.h>
#include <grpcpp/server_posix.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/status_macros.h"
#include "core/base/thread.h"
#include "core/base/unix_target.h"
#include "server/clients/peer.h"
#include "server/clients/peer_format.h"
#include "server/log/daemon_log.h"
#include "server/log/log_value.h"
#include "server/rpc/service.h"
#include "server/transport/bound_socket.h"
#include "server/transport/hard_stop.h"
#include "server/transport/refusal_frames.h"
#include "spdlog/spdlog.h"

namespace warmpool {
namespace {

// After which a shutdown that has not come to its end is cut short.
constexpr absl::Duration kHardStopAfter = absl::Seconds(10);
// Making memory is the kernel clearing pages: more threads than this would only
// wait for each other.
constexpr int kWorkerThreads = 4;

// Half of them, but never all processors: the kernel is not interrupted while
// it makes huge pages, for milliseconds, and the serving thread needs a
// processor too.
int ThreadsPerUid() {
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(processors / 2, 1, kWorkerThreads / 2);
}

// What gRPC 1.51 starts for a server, and some more: a few of its own, and
// pools that grow with the machine.
int GrpcThreads() {
  constexpr int kAlways = 12;
  const int processors = static_cast<int>(std::thread::hardware_concurrency());
  return kAlways + std::clamp(processors, 2, 32) +
         std::clamp(processors / 2, 2, 16);
}

}  // namespace

Transport::Transport(const Clock* clock, HolderRegistry* holders,
                     Handlers* handlers, SessionHub* sessions,
                     RpcStats* rpc_stats)
    : clock_(*clock),
      holders_(*holders),
      handlers_(*handlers),
      workers_({.threads = kWorkerThreads, .threads_per_uid = ThreadsPerUid()}),
      releaser_(Workers::Options()),
      serving_{.service = &service_,
               .queue = nullptr,
               .workers = &workers_,
               .releaser = &releaser_,
               .holders = holders,
               .handlers = handlers,
               .sessions = sessions,
               .rpc_stats = rpc_stats,
               .accounts = &accounts_},
      refusals_(clock) {}

Transport::~Transport() { Stop(); }

absl::Status Transport::Listen(const std::string& listen,
                               const GrpcServerOptions& options,
                               UniqueFd passed) {
  absl::Status status = StartThreads();
  if (status.ok()) status = CheckPeerFormat();
  if (status.ok()) status = StartServer(options);
  if (status.ok()) status = Bind(listen, std::move(passed));
  return status;
}

absl::Status Transport::StartThreads() {
  absl::Status status = workers_.Start();
  if (status.ok()) status = releaser_.Start();
  if (status.ok()) status = hard_stop_thread_.Prepare("wpd-hard-stop");
  // gRPC aborts the process, or never answers, where it gets none (1.51).
  if (status.ok()) status = CheckThreads(GrpcThreads());
  if (!status.ok()) return status;
  // Once, and never shut down: that waits without end for a thread which gRPC
  // was refused at any time before (1.51).
  [[maybe_unused]] static const bool in_use = (grpc_init(), true);
  return absl::OkStatus();
}

absl::Status Transport::Start() {
  return listener_->Start(
      [this](UniqueFd connection) { Admit(std::move(connection)); });
}

absl::Status Transport::StartServer(const GrpcServerOptions& options) {
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  server_ = StartGrpcServer({&service_, health_.service()}, options, &queue);
  queue_ = std::make_unique<ServingQueue>(std::move(queue), options.busy_poll,
                                          &clock_);
  if (server_ == nullptr) return absl::InternalError("gRPC server can't start");
  serving_.queue = queue_.get();
  ServeMemoryPool(serving_);
  health_.Serve(serving_.call_deps());
  const absl::Status started = queue_->Start();
  if (started.ok()) SetServing(true);
  return started;
}

absl::Status Transport::Bind(const std::string& listen, UniqueFd passed) {
  ASSIGN_OR_RETURN(const std::string path, SocketPathOf(listen));
  const SocketAccess access = holders_.admission().socket_access();
  ASSIGN_OR_RETURN(std::unique_ptr<BoundSocket> socket,
                   passed.valid() ? BoundSocket::Adopt(std::move(passed), path)
                                  : BoundSocket::Bind(path, access));
  ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener,
                   Listener::Listen(std::move(socket), access));
  listener_ = std::move(listener);
  RETURN_IF_ERROR(listener_->Prepare());
  absl::StatusOr<std::unique_ptr<PrefaceGate>> gate =
      PrefaceGate::Create(&clock_, [this](UniqueFd connection) {
        grpc::AddInsecureChannelFromFd(server_.get(), connection.Release());
      });
  if (!gate.ok()) return gate.status();
  gate_ = *std::move(gate);
  return absl::OkStatus();
}

void Transport::Admit(UniqueFd connection) {
  const absl::Status admitted = holders_.Admit(connection.get());
  if (admitted.ok()) return gate_->Hold(std::move(connection));
  const std::string frames = RefusalFrames(admitted);
  // A new socket has room for them.
  (void)!send(connection.get(), frames.data(), frames.size(),
              MSG_DONTWAIT | MSG_NOSIGNAL);
  const std::optional<std::string> more =
      refusals_.Pass(absl::StatusCodeToString(admitted.code()));
  if (more.has_value()) {
    spdlog::warn("connection refused {} code={} reason={}{}",
                 DescribePeer(connection.get()),
                 absl::StatusCodeToString(admitted.code()),
                 LogValue(admitted.message()), *more);
  }
}

void Transport::RunLater(uid_t uid, std::function<void()> work) {
  workers_.Run(uid, std::move(work));
}

void Transport::CallOnServingThread(std::function<void()> call) {
  queue_->CallSoon(std::move(call));
}

void Transport::SetServing(bool serving) { health_.SetServing(serving); }

void Transport::Stop() {
  if (server_ == nullptr) return;
  const HardStop hard_stop(
      &clock_, kHardStopAfter,
      [] {
        spdlog::error(
            "a call does not end: stopping without it; the next daemon "
            "takes up what is leased");
        FlushDaemonLog();
        _exit(1);
      },
      std::move(hard_stop_thread_));
  // The socket goes first: whoever is cut off does not connect to it again.
  listener_.reset();
  if (gate_ != nullptr) gate_->Stop();
  // As if the process were killed, for that is what every client copes with: it
  // asks the next daemon, under the same request id. What gRPC says when it
  // shuts down by itself (CANCELLED) may be taken for an answer, and it would
  // wait for Sessions, which do not end.
  holders_.CutConnections();
  handlers_.StopWaiting();
  server_->Shutdown(absl::ToChronoTime(absl::Now()));
  server_->Wait();
  workers_.Stop();
  releaser_.Stop();
  queue_->Stop();
}

}  // namespace warmpool
