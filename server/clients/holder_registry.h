// HolderRegistry: which process is behind each connection, and when that
// process is gone.
//
// A process is one holder however many connections it has, for each uid that
// it connects as. It is told by its pid and its instance (core/lease/lease.h),
// so neither a pid that is used again nor one that can't be seen leads to
// another's holder. Losing a connection ends nothing; only the process's end
// does, told by its pidfd. Where the kernel has no pidfd, or nothing tells the
// process from others, its last connection's end begins a grace instead. So it
// is for a process of an earlier daemon's for which there is no descriptor,
// too; but it is looked for again every second.
#ifndef WARMPOOL_SERVER_CLIENTS_HOLDER_REGISTRY_H_
#define WARMPOOL_SERVER_CLIENTS_HOLDER_REGISTRY_H_

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/epoll_set.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"
#include "core/lease/lease.h"
#include "server/clients/admission.h"
#include "server/clients/connection_table.h"
#include "server/clients/peer.h"

namespace warmpool {

// Who makes a call.
struct Caller {
  HolderId holder = 0;
  uid_t uid = 0;
};

// Thread-safe.
class HolderRegistry {
 public:
  struct Options {
    Admission admission;
    size_t max_connections_per_uid = 1024;
    // How long after its last connection on_unconnected is called for a holder
    // and, if its end can't be seen, the holder is taken for gone.
    absl::Duration grace = absl::Seconds(60);
    // How soon it is tried again to watch a process that there was no
    // descriptor for.
    absl::Duration retry_pause = absl::Seconds(1);
    // Descriptors of this number and above are left to connections: no process
    // that was recovered keeps one of them.
    int recovered_end = std::numeric_limits<int>::max();
    // Called before anything is known under the holder's id; must not call
    // back.
    std::function<void(const Holder&)> on_added;
    // These two are called under no lock, by the thread that sees all ends:
    // what takes longer than a note is for another. Nothing is known under the
    // holder's id any more.
    std::function<void(const Holder&)> on_gone;
    // The holder was without a connection since then, and may have one again.
    // If it has no lease either, Forget is to be called.
    std::function<void(const Holder&, absl::Time since)> on_unconnected;
  };

  // What is pointed to must outlive this. Starts the thread that waits for the
  // ends of processes and connections.
  static absl::StatusOr<std::unique_ptr<HolderRegistry>> Create(
      PeerSource* peers, const Clock* clock, Options options);
  ~HolderRegistry();

  // Finds out who is behind the connected socket and makes them a holder.
  // PERMISSION_DENIED: one that this daemon does not serve. RESOURCE_EXHAUSTED:
  // its uid has too many connections. Must come before the descriptor is given
  // to gRPC. A connection that is then not given to it has to be shut down
  // (shutdown(2)): a duplicate of it is kept, so closing it does not end it.
  absl::Status Admit(int connection_fd);

  // Cuts all connections, as the end of this process would: their clients get
  // what was sent, and then learn that the connection is lost.
  void CutConnections();

  const Admission& admission() const { return options_.admission; }

  // Who is behind a call, by grpc::ServerContext::peer(): "fd:N".
  // UNAUTHENTICATED: none that was admitted, or its process is gone.
  absl::StatusOr<Caller> Resolve(absl::string_view peer) const;

  // A holder for which on_unconnected was called is gone, as if its process
  // were, and costs nothing any more; unless it has had a connection since.
  void Forget(HolderId id);

  // Makes a process that was a holder of an earlier daemon one again, the same
  // that its connections will lead to. NOT_FOUND: it is gone, or can't be told
  // from others. Where there is no descriptor to see it by, or none may be
  // opened, it is taken to live.
  absl::StatusOr<HolderId> Recover(pid_t pid, uid_t uid, uint64_t instance,
                                   const std::string& command);

 private:
  using ProcessKey = std::tuple<pid_t, uint64_t, uid_t>;
  struct Process {
    Holder holder;
    // Invalid: there is none.
    UniqueFd pidfd;
    size_t connections = 0;
    // When its grace without a connection is over.
    absl::Time ends_at = absl::InfiniteFuture();
  };

  HolderRegistry(PeerSource* peers, const Clock* clock, Options options,
                 EpollSet watched);

  // The process's holder id; a new one where the process is not known yet.
  absl::StatusOr<HolderId> HolderOfLocked(Peer peer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds the process, or finds it, whatever is lacking.
  HolderId RecoverLocked(absl::StatusOr<Peer> peer, Peer expected)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Watches the process from here on. It is as it was after an error.
  absl::Status WatchLocked(Process* process, UniqueFd pidfd)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static bool EndsWithConnections(const Process& process) {
    return !process.pidfd.valid() || process.holder.instance == 0;
  }
  void SetGraceLocked(Process* process, absl::Time ends_at)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndConnectionLocked(ConnectionTable::Serial serial)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends a holder, if its process or its grace is over, if it is `kUnneeded`
  // and has had no connection since its grace was over, or if it is `kGone` and
  // its pidfd does not know better.
  enum class Suspicion { kNone, kUnneeded, kGone };
  void EndHolder(HolderId id, Suspicion suspicion = Suspicion::kNone);
  void EndOverdue();
  // Looks for those without a pidfd, if it is time.
  void RetryUnwatched();
  absl::Duration LeftOfPause();
  void WatchMain();

  PeerSource& peers_;
  const Clock& clock_;
  const Options options_;
  EpollSet watched_;

  mutable Mutex mutex_;
  absl::flat_hash_map<HolderId, Process> processes_ ABSL_GUARDED_BY(mutex_);
  // Without those of instance 0.
  absl::flat_hash_map<ProcessKey, HolderId> by_key_ ABSL_GUARDED_BY(mutex_);
  ConnectionTable connections_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<std::pair<absl::Time, HolderId>> graces_
      ABSL_GUARDED_BY(mutex_);
  HolderId last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  // Those that there was no pidfd for, and when that is to be tried again.
  absl::flat_hash_set<HolderId> unwatched_ ABSL_GUARDED_BY(mutex_);
  absl::Time retry_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();

  std::atomic<bool> stopping_ = false;
  Thread watcher_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_HOLDER_REGISTRY_H_
