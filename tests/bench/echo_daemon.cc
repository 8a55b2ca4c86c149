// echo_daemon: a twin of warmpoold, with the same transport and settings, that
// has no pool: every call is answered with an empty message. What a call takes
// here is what gRPC and the kernel take.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/book/buffer_events.h"
#include "server/clients/admission.h"
#include "server/clients/holder_registry.h"
#include "server/clients/peer.h"
#include "server/clients/session_hub.h"
#include "server/rpc/handlers.h"
#include "server/transport/grpc_server.h"
#include "server/transport/transport.h"

ABSL_FLAG(std::string, listen, "", "Where to listen, unix:PATH");
ABSL_FLAG(absl::Duration, busy_poll, absl::ZeroDuration(), "As warmpoold's");
// Of the daemon's; nothing here depends on them.
ABSL_FLAG(std::string, shm_dir, "", "Ignored");
ABSL_FLAG(std::string, log_level, "", "Ignored");
ABSL_FLAG(absl::Duration, default_ttl, absl::ZeroDuration(), "Ignored");

namespace warmpool {
namespace {

class EchoHandlers final : public Handlers {
 public:
  std::optional<absl::Status> LeaseIfReady(HolderId, const v1::LeaseRequest&,
                                           RequestProgress*,
                                           v1::LeaseResponse*) override {
    return absl::OkStatus();
  }
  std::optional<absl::Status> Attach(HolderId, const v1::AttachRequest&, Waiter,
                                     v1::AttachResponse*) override {
    return absl::OkStatus();
  }
  bool CancelWait(WaitId) override { return false; }
  absl::Status Seal(HolderId, const v1::SealRequest&,
                    v1::SealResponse*) override {
    return absl::OkStatus();
  }
  absl::Status MakeTicket(HolderId, const v1::MakeTicketRequest&,
                          v1::MakeTicketResponse*) override {
    return absl::OkStatus();
  }
  absl::Status Claim(HolderId, const v1::ClaimRequest&,
                     v1::ClaimResponse*) override {
    return absl::OkStatus();
  }
  absl::Status Release(HolderId, const v1::ReleaseRequest&,
                       v1::ReleaseResponse*) override {
    return absl::OkStatus();
  }
  void ReleaseQuietly(
      HolderId,
      const google::protobuf::RepeatedPtrField<v1::LeaseRef>&) override {}
  absl::Status Renew(HolderId, const v1::RenewRequest&,
                     v1::RenewResponse*) override {
    return absl::OkStatus();
  }
  absl::Status GetStats(HolderId, const v1::GetStatsRequest&,
                        v1::GetStatsResponse*) override {
    return absl::OkStatus();
  }
  std::shared_ptr<const v1::GetStatsResponse> RecentStats(HolderId) override {
    return std::make_shared<v1::GetStatsResponse>();
  }
  absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> WatchBuffers(
      HolderId, const v1::WatchBuffersRequest&,
      std::function<void()>) override {
    return absl::UnimplementedError("no buffers here");
  }
  std::optional<absl::Status> Lease(HolderId, const v1::LeaseRequest&, Waiter,
                                    v1::LeaseResponse*) override {
    return absl::OkStatus();
  }
  absl::Status Assert(HolderId, const v1::AssertRequest&,
                      v1::AssertResponse*) override {
    return absl::OkStatus();
  }
  absl::Status ListBuffers(HolderId, const v1::ListBuffersRequest&,
                           v1::ListBuffersResponse*) override {
    return absl::OkStatus();
  }
  absl::Status ListHolders(HolderId, const v1::ListHoldersRequest&,
                           v1::ListHoldersResponse*) override {
    return absl::OkStatus();
  }
  absl::Status Trim(HolderId, const v1::TrimRequest&,
                    v1::TrimResponse*) override {
    return absl::OkStatus();
  }
  absl::Status SetLogLevel(HolderId, const v1::SetLogLevelRequest&,
                           v1::SetLogLevelResponse*) override {
    return absl::OkStatus();
  }
  absl::Status Shutdown(HolderId, const v1::ShutdownRequest&,
                        v1::ShutdownResponse*) override {
    return absl::OkStatus();
  }
};

GrpcServerOptions GrpcOptions() {
  GrpcServerOptions options;
  options.busy_poll = absl::GetFlag(FLAGS_busy_poll);
  return options;
}

absl::Status Serve(const sigset_t& until) {
  const Clock& clock = MonotonicClock::Get();
  const absl::StatusOr<Admission> admission =
      Admission::Create(geteuid(), Admission::Options());
  if (!admission.ok()) return admission.status();
  absl::StatusOr<std::unique_ptr<HolderRegistry>> holders =
      HolderRegistry::Create(&KernelPeerSource::Get(), &clock,
                             {.admission = *admission,
                              .on_added = nullptr,
                              .on_gone = nullptr,
                              .on_unconnected = nullptr});
  if (!holders.ok()) return holders.status();
  EchoHandlers handlers;
  SessionHub sessions;
  RpcStats rpc_stats(&clock, [] {});
  Transport transport(&clock, holders->get(), &handlers, &sessions, &rpc_stats);
  const absl::Status listens =
      transport.Listen(absl::GetFlag(FLAGS_listen), GrpcOptions());
  if (!listens.ok()) return listens;
  const absl::Status started = transport.Start();
  if (!started.ok()) return started;
  int signal_number = 0;
  sigwait(&until, &signal_number);
  return absl::OkStatus();
}

}  // namespace
}  // namespace warmpool

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  // As in warmpoold.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  const absl::Status served = warmpool::Serve(signals);
  if (served.ok()) return 0;
  std::fprintf(stderr, "echo_daemon: %s\n", served.ToString().c_str());
  return 1;
}
