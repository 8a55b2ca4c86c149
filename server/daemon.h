// Daemon: everything put together. Create, Wait (until somebody stops it), and
// nothing is left behind that no lease needs.
//
// A start that fails leaves everything as an earlier daemon left it: all that
// can fail comes before anything is changed.
#ifndef WARMPOOL_SERVER_DAEMON_H_
#define WARMPOOL_SERVER_DAEMON_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/random_id.h"
#include "core/engine/stocker.h"
#include "core/engine/uid_quota.h"
#include "core/journal/journal.h"
#include "core/memory/cgroup/memory_limit.h"
#include "core/memory/cgroup/memory_room.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/pages/huge_pages.h"
#include "core/pool/pool.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/clients/admission.h"
#include "server/clients/holder_ender.h"
#include "server/clients/holder_registry.h"
#include "server/clients/peer.h"
#include "server/clients/session_hub.h"
#include "server/daemon_options.h"
#include "server/http/http_server.h"
#include "server/log/log_limit.h"
#include "server/maintenance.h"
#include "server/pressure/memory_pressure.h"
#include "server/rpc/pool_handlers.h"
#include "server/stats/rpc_stats.h"
#include "server/stats/stats.h"
#include "server/transport/grpc_server.h"
#include "server/transport/transport.h"
#include "server/watchdog.h"

namespace warmpool {

class Daemon {
 public:
  // Locks the directory, listens, and serves. Errors name the flag or path.
  static absl::StatusOr<std::unique_ptr<Daemon>> Create(
      const DaemonOptions& options);
  ~Daemon();

  // Makes Wait return. Thread-safe; a second call ends the wait for leases.
  void RequestStop();

  // Serves until RequestStop or the Shutdown RPC, and then until what no lease
  // needs has ended: clients that go on with the next daemon miss this one for
  // moments only. With a drain_timeout it drains first: no new lease, sessions
  // told, a wait for those that are left. Returns the number of leases left.
  size_t Wait();

 private:
  explicit Daemon(const DaemonOptions& options);

  absl::Status OpenDirectory();
  // Tells where the journal is.
  absl::Status InPrivate(const absl::Status& status) const;
  void LogRevoked(const RevokedLease& revoked);
  void LogRefused(const Refusal& refusal);
  void LogForgotten(HolderId holder, size_t leases);
  // What a holder left that is gone ends.
  void EndGone(const Holder& holder);
  // What one forgot that has no connection ends; then it is forgotten itself,
  // if it has nothing left.
  void EndForgotten(const Holder& holder, absl::Time since);
  void LogHugePages();
  absl::Status MakeHolders();
  uint64_t CapacityFor(uint64_t held_bytes);
  // Makes the pool, and finds what an earlier daemon left.
  absl::Status MakePool();
  // Where clients wait from here on.
  absl::Status Listen();
  // Takes up what an earlier daemon left. It fails as a whole, before it
  // changes anything, or not at all.
  absl::Status TakeOver();
  // What can fail of StartServing.
  absl::Status PrepareThreads();
  absl::Status StartServing();
  absl::Status PrepareWatchdog();
  absl::Status StartHttp();
  http::Status HttpStatus();
  // The outside is told. Does nothing the second time.
  void BeginStop();
  // No lease is granted from here on. Does nothing the second time.
  void BeginDrain();
  v1::ShutdownResponse PrepareStop(bool revoke);
  void AwaitReleases();
  // Ends what no lease needs, and asks clients for what they keep idle: that is
  // ended the next time. Returns the bytes ended.
  uint64_t ReleaseUnused();
  // Asks clients for what they keep idle.
  void TrimClients(uint64_t wanted_bytes);
  // Ends all connections and calls. Does nothing the second time.
  void StopServing();
  void LogLeasesLeft();

  const DaemonOptions options_;
  const Clock& clock_;
  BatchedRandom random_;
  SystemCalls& calls_;

  Mutex mutex_;
  CondVar stop_condition_;
  int stop_requests_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  // Clients can connect.
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;

  LogLimit log_limit_;
  const MemoryLimit memory_limit_;
  MemoryRoom memory_room_;
  // In the order in which they need each other.
  std::unique_ptr<SegmentDirectory> directory_;
  // The statistics count calls for segments; these are not.
  LinuxSystemCalls own_journal_calls_;
  SystemCalls& journal_calls_;
  Journal::Replay replay_;
  std::unique_ptr<Journal> journal_;
  // Those that an earlier daemon left, until the pool has them.
  std::vector<Segment> leftovers_;
  // What else is in the directory.
  std::vector<std::string> unknown_;
  // The pool has what the journal says.
  bool recovered_ = false;
  SessionHub hub_;
  Maintenance maintenance_;
  bool makes_stock_ = false;
  Stocker stocker_;
  std::unique_ptr<Pool> pool_;
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
