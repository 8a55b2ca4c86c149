// Daemon: everything put together. Create, Wait (until somebody stops it), and
// nothing is left behind that no lease needs. It only connects its parts:
// Lifecycle knows how far it is, DaemonFiles has the directory and the journal,
// SizePool says how large the pool is, ClientReclaim gets memory back from
// clients.
//
// Create, Wait and the destructor are for one thread; RequestStop is
// thread-safe. A start that fails leaves everything as an earlier daemon left
// it: all that can fail comes before anything is changed.
#ifndef WARMPOOL_SERVER_DAEMON_H_
#define WARMPOOL_SERVER_DAEMON_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/random_id.h"
#include "core/engine/stocker.h"
#include "core/memory/cgroup/memory_limit.h"
#include "core/memory/cgroup/memory_room.h"
#include "core/memory/kernel/system_calls.h"
#include "core/pool/pool.h"
#include "server/clients/admission.h"
#include "server/clients/holder_ender.h"
#include "server/clients/holder_registry.h"
#include "server/clients/session_hub.h"
#include "server/daemon_files.h"
#include "server/daemon_options.h"
#include "server/http/http_server.h"
#include "server/lifecycle.h"
#include "server/maintenance.h"
#include "server/pool_log.h"
#include "server/pressure/memory_pressure.h"
#include "server/rpc/client_reclaim.h"
#include "server/rpc/pool_handlers.h"
#include "server/service/watchdog.h"
#include "server/sizing.h"
#include "server/stats/rpc_stats.h"
#include "server/stats/stats.h"
#include "server/transport/transport.h"

namespace warmpool {

class Daemon {
 public:
  // Locks the directory, listens, and serves. Errors name the flag or path.
  static absl::StatusOr<std::unique_ptr<Daemon>> Create(
      const DaemonOptions& options);
  ~Daemon();

  // Makes Wait return. Thread-safe; a second call ends the wait for leases.
  void RequestStop() { lifecycle_.RequestStop(); }

  // Serves until RequestStop or the Shutdown RPC, and then until what no lease
  // needs has ended: clients that go on with the next daemon miss this one for
  // moments only. With a drain_timeout it drains first: no new lease, sessions
  // told, a wait for those that are left. Returns the number of leases left.
  size_t Wait();

 private:
  explicit Daemon(const DaemonOptions& options);

  // --- The steps of a start, in this order ---
  absl::Status OpenFiles();
  absl::Status MakeHolders();
  // Makes the pool, and finds what an earlier daemon left.
  absl::Status MakePool();
  absl::Status PrepareThreads();
  absl::Status PrepareWatchdog();
  // Where clients wait from here on.
  absl::Status Listen();
  absl::Status StartHttp();
  absl::Status StartServing();

  MachineSpace Space();
  Pool::Options PoolOptionsFor(const PoolSizes& sizes);

  // Ends the leases of a holder whose process is gone.
  void EndGone(const Holder& holder);
  // Ends the leases that a holder without a connection forgot; then the
  // registry forgets the holder, if it has nothing left.
  void EndForgotten(const Holder& holder, absl::Time since);
  // Ends what no lease needs, and asks clients for what they keep idle: that is
  // ended the next time. Returns the bytes ended.
  uint64_t ReleaseUnused();

  // --- The steps of an end. Each does nothing the second time. ---
  // Tells the service manager, and the health service's clients.
  void BeginStop();
  // No lease is granted from here on; tells the clients.
  void BeginDrain();
  // Ends all connections and calls.
  void StopServing();
  // For the Shutdown RPC.
  v1::ShutdownResponse PrepareStop(bool revoke);

  const DaemonOptions options_;
  const Clock& clock_;
  BatchedRandom random_;
  SystemCalls& calls_;
  // The statistics count calls for segments; these are not.
  LinuxSystemCalls own_journal_calls_;
  Lifecycle lifecycle_;
  PoolLog log_;
  const MemoryLimit memory_limit_;
  MemoryRoom memory_room_;
  // In the order in which they need each other.
  std::unique_ptr<DaemonFiles> files_;
  SessionHub hub_;
  Maintenance maintenance_;
  bool makes_stock_ = false;
  Stocker stocker_;
  std::unique_ptr<Pool> pool_;
  std::unique_ptr<ClientReclaim> reclaim_;
  MemoryPressure memory_pressure_;
  RpcStats rpc_stats_;
  std::unique_ptr<StatsSource> stats_;
  HolderEnder holder_ender_;
  std::unique_ptr<HolderRegistry> holders_;
  std::unique_ptr<PoolHandlers> handlers_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<Watchdog> watchdog_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_DAEMON_H_
