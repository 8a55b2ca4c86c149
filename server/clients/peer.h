// Peer: the process behind a connection, as the kernel tells it.
#ifndef WARMPOOL_SERVER_CLIENTS_PEER_H_
#define WARMPOOL_SERVER_CLIENTS_PEER_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/unique_fd.h"
#include "server/clients/admission.h"

namespace warmpool {

struct Peer {
  // 0: a process of another pid namespace, which has no number here.
  pid_t pid = 0;
  Credentials credentials;
  // Readable once the process has ended. Invalid: this kernel has no pidfds,
  // or none for a process that has no number here.
  UniqueFd pidfd;
  // As Holder::instance in core/lease/lease.h; 0: not known.
  uint64_t instance = 0;
  // Empty if not known.
  std::string command;
};

// Where peers are looked up. Thread-safe.
class PeerSource {
 public:
  virtual ~PeerSource() = default;

  // As whom the other end of a Unix socket connected. Keeps nothing open, so it
  // can be asked for any process. PERMISSION_DENIED: the daemon's user
  // namespace does not know that user.
  virtual absl::StatusOr<Credentials> CredentialsOf(int connection_fd) = 0;
  // Who is at the other end of a connected Unix socket. Opens a pidfd and looks
  // into /proc: for those who are served only. UNAVAILABLE: the process has
  // ended. RESOURCE_EXHAUSTED: out of descriptors.
  virtual absl::StatusOr<Peer> PeerOf(int connection_fd) = 0;
  // The process of that number, without its credentials. NOT_FOUND: there is
  // none. An error for which IsUntold holds: there is one, and which can't be
  // told; out of descriptors, or no pidfd may be opened.
  virtual absl::StatusOr<Peer> ProcessOf(pid_t pid) = 0;

  static bool IsUntold(const absl::Status& status) {
    return absl::IsResourceExhausted(status) ||
           absl::IsPermissionDenied(status);
  }
};

// SO_PEERCRED, SO_PEERGROUPS, SO_PEERPIDFD (Linux 6.5; before that the pidfd
// is opened by number as soon as the connection is accepted), /proc.
class KernelPeerSource final : public PeerSource {
 public:
  static KernelPeerSource& Get();

  absl::StatusOr<Credentials> CredentialsOf(int connection_fd) override;
  absl::StatusOr<Peer> PeerOf(int connection_fd) override;
  absl::StatusOr<Peer> ProcessOf(pid_t pid) override;
};

// Whether the process of a valid pidfd has ended.
bool HasEnded(const UniqueFd& pidfd);

// Field 22 of /proc/PID/stat, given that file's text: when the process was
// started, in clock ticks since the machine was. 0: no such field. A command's
// name may hold spaces and parentheses, and does not confuse it.
uint64_t StartTimeIn(absl::string_view stat);

// "pid=12 uid=1000" for the log: who connected, as far as it can be told.
std::string DescribePeer(int connection_fd);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_PEER_H_
