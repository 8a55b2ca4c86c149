// HolderRegistry: which process is behind each connection, as the kernel tells
// it (SO_PEERCRED, SO_PEERPIDFD), and when that process is gone (pidfd).
//
// A process is one holder however many connections it has. Losing a connection
// ends nothing; only the process's end does.
#ifndef WARMPOOL_SERVER_HOLDER_REGISTRY_H_
#define WARMPOOL_SERVER_HOLDER_REGISTRY_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/mutex.h"
#include "core/pool/lease.h"
#include "core/pool/pool.h"
#include "server/unique_fd.h"

namespace warmpool {

// Thread-safe.
class HolderRegistry {
 public:
  // `pool` must outlive this. Starts the thread that waits for process ends.
  static absl::StatusOr<std::unique_ptr<HolderRegistry>> Create(Pool* pool);
  ~HolderRegistry();

  // Finds out who is behind the connected socket and makes them a holder.
  // PERMISSION_DENIED: a uid that this daemon does not serve. Must come before
  // the descriptor is given to gRPC, which numbers its peers by descriptor.
  absl::Status Admit(int connection_fd);

  // The holder behind a call, by grpc::ServerContext::peer(): "fd:N".
  // UNAUTHENTICATED: none that was admitted, or its process is gone.
  absl::StatusOr<HolderId> Resolve(absl::string_view peer) const;

 private:
  struct Process {
    Holder holder;
    UniqueFd pidfd;
  };

  HolderRegistry(Pool* pool, UniqueFd epoll_fd, UniqueFd stop_fd);

  // The process's holder id; a new one where the process is not known yet.
  absl::StatusOr<HolderId> HolderOf(pid_t pid, uid_t uid, UniqueFd pidfd);
  // Ends the holder with this pid, if its process is gone.
  void EndIfGone(pid_t pid);
  void WatchMain();

  Pool& pool_;
  const UniqueFd epoll_fd_;
  const UniqueFd stop_fd_;

  mutable Mutex mutex_;
  absl::flat_hash_map<pid_t, Process> processes_ ABSL_GUARDED_BY(mutex_);
  // By connection descriptor. An entry is replaced when its number comes back.
  absl::flat_hash_map<int, HolderId> connections_ ABSL_GUARDED_BY(mutex_);
  HolderId last_id_ ABSL_GUARDED_BY(mutex_) = 0;

  std::thread watcher_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HOLDER_REGISTRY_H_
