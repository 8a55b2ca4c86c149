// Transport: how calls reach the handlers: the daemon's socket, its
// connections, gRPC, and the threads that serve.
#ifndef WARMPOOL_SERVER_TRANSPORT_TRANSPORT_H_
#define WARMPOOL_SERVER_TRANSPORT_TRANSPORT_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "core/base/clock.h"
#include "core/base/thread.h"
#include "core/base/unique_fd.h"
#include "proto/warmpool/v1/warmpool.grpc.pb.h"
#include "server/clients/holder_registry.h"
#include "server/clients/session_hub.h"
#include "server/clients/uid_accounts.h"
#include "server/log/log_limit.h"
#include "server/rpc/handlers.h"
#include "server/rpc/health.h"
#include "server/rpc/serving.h"
#include "server/scheduling/serving_queue.h"
#include "server/scheduling/workers.h"
#include "server/stats/rpc_stats.h"
#include "server/transport/grpc_server.h"
#include "server/transport/listener.h"
#include "server/transport/preface_gate.h"

namespace warmpool {

class Transport {
 public:
  // What is pointed to must outlive this.
  Transport(const Clock* clock, HolderRegistry* holders, Handlers* handlers,
            SessionHub* sessions, RpcStats* rpc_stats);
  // Stops.
  ~Transport();

  // Makes everything ready to serve whom `holders` admits on the socket
  // `listen` ("unix:PATH"): whoever connects waits. `passed`: that socket,
  // where another process made it. Errors name the target or path.
  absl::Status Listen(const std::string& listen,
                      const GrpcServerOptions& options,
                      UniqueFd passed = UniqueFd());
  // Serves. REQUIRES: Listen.
  absl::Status Start();

  // Runs it on a worker, or here once they have stopped.
  void RunLater(uid_t uid, std::function<void()> work);

  // Has `call` called soon on the serving thread. Not to be called any more
  // once Stop is.
  void CallOnServingThread(std::function<void()> call);

  // What the health service says.
  void SetServing(bool serving);

  // Ends the socket, and then all connections and calls, as they are: what is
  // carried out by then is, but its answer may be lost. A call that does not
  // end is cut short, with the process. Does nothing the second time.
  void Stop();

 private:
  // The threads that serve, and enough to be had for gRPC's.
  absl::Status StartThreads();
  absl::Status StartServer(const GrpcServerOptions& options);
  absl::Status Bind(const std::string& listen, UniqueFd passed);
  void Admit(UniqueFd connection);

  const Clock& clock_;
  HolderRegistry& holders_;

  // In the order in which they need each other.
  AsyncService service_;
  HealthService health_;
  std::unique_ptr<ServingQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  Handlers& handlers_;
  UidAccounts accounts_{UidAccounts::Options()};
  Workers workers_;
  Workers releaser_;
  Serving serving_;
  LogLimit refusals_;
  // Of the HardStop, got in advance: a process may be stopped because it has
  // used up what it may have.
  Thread hard_stop_thread_;
  std::unique_ptr<PrefaceGate> gate_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_TRANSPORT_TRANSPORT_H_
