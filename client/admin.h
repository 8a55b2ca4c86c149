// DaemonAdmin: watches and commands the Warmpool daemon of this machine.
//
//   absl::StatusOr<warmpool::DaemonAdmin> admin =
//       warmpool::DaemonAdmin::Connect("unix:/run/warmpool/warmpool.sock");
//   absl::StatusOr<warmpool::DaemonStats> stats = admin->GetStats();
//   std::printf("%lu bytes leased\n", stats->bytes.leased_bytes);
//
// The structs have the names and units of the protocol (warmpool.proto), where
// each field is documented, and of the metrics. The protocol tells more than
// they do: latencies, size classes, system calls.
//
// Every call but WatchStats and WatchBuffers has a deadline, until which it
// also waits for a daemon that is restarting. Errors are those of Client's
// calls (warmpool/warmpool.h). PERMISSION_DENIED: the call is only for admins,
// which are uid 0, the daemon's own uid and those of its --admin_uid.
//
// Thread-safe, but for moves. In a forked child every call is
// FAILED_PRECONDITION.
#ifndef WARMPOOL_ADMIN_H_
#define WARMPOOL_ADMIN_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "warmpool/stats.h"

namespace warmpool {

class AdminCalls;

struct AdminOptions {
  // Of every call, Connect included.
  absl::Duration deadline = absl::Seconds(10);
  // See ClientOptions.
  std::optional<uid_t> daemon_uid = std::nullopt;
};

// Which buffers to list: those that meet all that is set.
struct ListFilter {
  // Names that start so.
  std::string name_prefix = {};
  // Held by this process.
  std::optional<pid_t> holder_pid = std::nullopt;
  // Of this uid.
  std::optional<uid_t> uid = std::nullopt;
};

enum class ListedState {
  kLive,
  // Taken over from an earlier daemon; its holder has not confirmed it yet.
  kRecovering,
  // No process has it: it is a ticket that waits for its claim.
  kTicket,
  // No process has it: it keeps a sealed buffer for a while.
  kLingering,
};

struct ListedLease {
  // 16 raw bytes. Empty for a ticket, which is a secret.
  std::string lease_id;
  // 0: no process has it.
  pid_t pid = 0;
  uid_t uid = 0;
  // Of the process, as the kernel tells it. Empty: unknown.
  std::string command;
  absl::Duration age;
  // Zero: as long as its process lives.
  absl::Duration ttl_left;
  ListedState state = ListedState::kLive;
};

struct ListedBuffer {
  std::string name;
  uid_t uid = 0;
  // Asked for, and of the segment.
  uint64_t size_bytes = 0;
  uint64_t mapped_bytes = 0;
  uint64_t generation = 0;
  absl::Duration age;
  bool sealed = false;
  // The channel that it is in. Empty: none.
  std::string channel;
  // At most a hundred of them.
  std::vector<ListedLease> leases;
  // How many there are, told or not. 0: the daemon does not say.
  uint64_t total_leases = 0;
};

struct ListedHolder {
  pid_t pid = 0;
  uid_t uid = 0;
  std::string command;
  uint64_t leases = 0;
  // Of the segments that they are on.
  uint64_t leased_bytes = 0;
  // The part that lies idle in its lease caches.
  uint64_t idle_bytes = 0;
};

struct HolderListing {
  std::vector<ListedHolder> holders;
  // How many there are, told or not.
  uint64_t total_holders = 0;
};

struct BufferEvent {
  enum class Kind { kCreated, kSealed, kEnded, kResync };
  // Of kResync, the other fields are empty.
  Kind kind = Kind::kResync;
  std::string name;
  uid_t uid = 0;
  uint64_t generation = 0;
  // Asked for.
  uint64_t size_bytes = 0;
};

struct TrimResult {
  uint64_t ended_bytes = 0;
  // Idle in clients, which were asked for them.
  uint64_t asked_of_clients_bytes = 0;
};

struct ShutdownResult {
  // Live when the shutdown began, and how many of them it revoked.
  uint64_t live_leases = 0;
  uint64_t revoked_leases = 0;
};

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError, kOff };

class DaemonAdmin {
 public:
  // Errors are those of Client::Connect.
  static absl::StatusOr<DaemonAdmin> Connect(const std::string& target,
                                             AdminOptions options = {});
  ~DaemonAdmin();
  DaemonAdmin(DaemonAdmin&&) noexcept;
  DaemonAdmin& operator=(DaemonAdmin&&) noexcept;

  absl::StatusOr<DaemonStats> GetStats();

  // Calls `on_stats` with the daemon's statistics every `interval` until it
  // returns false (OK) or the daemon goes away (UNAVAILABLE). Does not wait for
  // a daemon. INVALID_ARGUMENT: the interval is not within 100 ms to 1 h.
  absl::Status WatchStats(
      absl::Duration interval,
      const std::function<bool(const DaemonStats&)>& on_stats);

  // All buffers that this process may see, by uid and name.
  absl::StatusOr<std::vector<ListedBuffer>> ListBuffers(
      const ListFilter& filter = {});

  // Processes with what they hold, most bytes first: those of this process's
  // uid, for admins all. `limit`: 1 to 1000 of them; 0: 100.
  absl::StatusOr<HolderListing> ListHolders(uint32_t limit = 0);

  // Calls `on_event` with lifecycle events of buffers whose names start with
  // `name_prefix`, of those that ListBuffers shows, until it returns false (OK)
  // or the daemon goes away (UNAVAILABLE). The first event is kResync: list the
  // buffers then, and nothing is missing. It comes again where `on_event` took
  // so long that events were lost. Does not wait for a daemon.
  // INVALID_ARGUMENT: the prefix is longer than a name; RESOURCE_EXHAUSTED:
  // processes of this user watch too often.
  absl::Status WatchBuffers(
      const std::string& name_prefix,
      const std::function<bool(const BufferEvent&)>& on_event);

  // Ends another holder's lease. Only for admins.
  absl::Status Revoke(const std::string& lease_id);

  // Gives the system back what no lease needs, in the daemon and in the lease
  // caches of all clients. Only for admins.
  absl::StatusOr<TrimResult> Trim();

  // Stops the daemon; revokes every lease first if `revoke`. Only for admins.
  // Does not wait for a daemon.
  absl::StatusOr<ShutdownResult> Shutdown(bool revoke);

  // Sets how much the daemon logs, until it stops; returns the level before.
  // nullopt changes nothing. Only for admins.
  absl::StatusOr<LogLevel> SetLogLevel(std::optional<LogLevel> level);

 private:
  explicit DaemonAdmin(std::shared_ptr<AdminCalls> calls);

  // Null once moved from.
  std::shared_ptr<AdminCalls> calls_;
};

}  // namespace warmpool

#endif  // WARMPOOL_ADMIN_H_
