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
#include "core/memory/huge_pages.h"
#include "core/memory/memory_limit.h"
#include "core/memory/memory_room.h"
#include "core/memory/segment_directory.h"
#include "core/memory/system_calls.h"
#include "core/pool/journal.h"
#include "core/pool/pool.h"
#include "core/pool/stocker.h"
#include "core/pool/uid_quota.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/admission.h"
#include "server/grpc_server.h"
#include "server/holder_ender.h"
#include "server/holder_registry.h"
#include "server/http/http_server.h"
#include "server/log_limit.h"
#include "server/maintenance.h"
#include "server/memory_pressure.h"
#include "server/peer.h"
#include "server/pool_handlers.h"
#include "server/rpc_stats.h"
#include "server/session_hub.h"
#include "server/stats.h"
#include "server/transport.h"
#include "server/watchdog.h"

namespace warmpool {

struct DaemonOptions {
  // Those for segments, and those for the journal. Null: the kernel's.
  SystemCalls* calls = nullptr;
  SystemCalls* journal_calls = nullptr;
  // Where the processes behind connections are looked up. Null: the kernel.
  PeerSource* peers = nullptr;
  // "unix:PATH".
  std::string listen;
  // A socket that listens there, which the daemon takes over. -1: it makes one.
  int passed_socket = -1;
  std::string shm_dir;
  // Never more than the machine has (BoundedCapacity). nullopt: half of what it
  // has free and the directory already holds.
  std::optional<uint64_t> capacity_bytes;
  // What BigCache may retain. nullopt: half of the capacity.
  std::optional<uint64_t> bigcache_bytes;
  // What is made ahead of demand. nullopt: a sixteenth of the capacity, 256 MiB
  // at most.
  std::optional<uint64_t> stock_bytes;
  // Of segments of 2 MiB and more.
  HugePages::Use huge_pages = HugePages::Use::kAuto;
  // The daemon sets its capacity, byte caps, overhead and callbacks.
  Pool::Options pool;
  // How long a stopping daemon waits for leases to be released, and grants none
  // meanwhile. None is lost without it: the next daemon takes them up.
  absl::Duration drain_timeout = absl::ZeroDuration();
  // Called once as it begins to stop, whoever asked for it.
  std::function<void()> on_stopping;
  GrpcServerOptions grpc;
  // Who is served besides root and the daemon's own uid, and who commands.
  Admission::Options admission;
  size_t max_connections_per_uid = 1024;
  // Where the status page and the metrics are served. nullopt: nowhere.
  std::optional<HttpAddress> metrics_listen;
  // Whether they tell who holds what, to whoever can connect.
  bool metrics_holders = false;
  // Leases and bytes of one uid.
  UidQuota::Options uid_quota;
  // How often `on_alive` is called, for as long as the serving and the
  // maintenance thread make progress. nullopt: never.
  std::optional<absl::Duration> watchdog_period;
  std::function<void()> on_alive;
};

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
  // What one forgot that has no connection ends; then it is forgotten itself, if
  // it has nothing left.
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
  uint64_t Shed();
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
