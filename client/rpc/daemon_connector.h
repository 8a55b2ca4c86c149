// DaemonConnector: the connection to the daemon, made anew whenever it was
// lost. Every one of them is checked: its peer is of a trusted uid, and of the
// one that the first was of, so that what a daemon has named is judged by that
// uid.
//
// Thread-safe; no lock is held over a call into gRPC or a system call.
#ifndef WARMPOOL_CLIENT_RPC_DAEMON_CONNECTOR_H_
#define WARMPOOL_CLIENT_RPC_DAEMON_CONNECTOR_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/rpc/daemon_link.h"
#include "client/rpc/local_socket.h"
#include "core/base/mutex.h"

namespace warmpool {

class DaemonConnector {
 public:
  // Between two tries to connect while no daemon is there. A try takes
  // microseconds.
  static constexpr absl::Duration kRetry = absl::Milliseconds(10);

  DaemonConnector(std::string socket_path, const TrustedPeers& trusted);

  // The connection, made unless there is one. Where there is no daemon, waits
  // for one, if `wait`, until `until`, a moment of the monotonic clock. Errors
  // as of DaemonLink::Connect. The first connection does not wait for a thread
  // or a descriptor, and it tries twice where it gets PERMISSION_DENIED:
  // nothing that is waited for changes either.
  absl::StatusOr<std::shared_ptr<DaemonLink>> Get(absl::Time until, bool wait);

  // The last connection, be it lost. Does not connect.
  std::shared_ptr<DaemonLink> Current() const;
  bool connected() const { return Current()->alive(); }

  // A call over it found it lost, as it may be though it is open: the daemon
  // takes no further call.
  void RecordLost(const std::shared_ptr<DaemonLink>& link);

  // The uid of all its daemons. nullopt: there was none.
  std::optional<uid_t> peer() const;

  // How the last try ended.
  absl::Status last_try() const;

 private:
  // Makes `link` the current one.
  void ReplaceLocked(std::shared_ptr<DaemonLink> link)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets go of the earlier ones that nobody else has.
  void DropReplaced();
  // One try, or the outcome of another thread's.
  absl::StatusOr<std::shared_ptr<DaemonLink>> Try(absl::Time until);
  absl::StatusOr<std::shared_ptr<DaemonLink>> Connect(absl::Time until) const;

  const std::string socket_path_;
  const TrustedPeers trusted_;
  const std::shared_ptr<DaemonLink> lost_ = DaemonLink::MakeLost();

  mutable Mutex mutex_;
  // Signalled when a try has ended.
  CondVar tried_;
  bool trying_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<DaemonLink> current_ ABSL_GUARDED_BY(mutex_) = lost_;
  // Earlier ones that may be in use. gRPC's threads that serve a link must not
  // be the last to let go of it: its end waits for theirs (1.51).
  std::vector<std::shared_ptr<DaemonLink>> replaced_ ABSL_GUARDED_BY(mutex_);
  std::optional<uid_t> peer_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_try_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_DAEMON_CONNECTOR_H_
