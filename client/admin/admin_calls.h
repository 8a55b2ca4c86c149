// AdminCalls: the RPCs by which a daemon is watched and commanded, in the
// messages of the protocol. DaemonAdmin (warmpool/admin.h) is the same for
// users of the library; the command-line tool, whose output these messages are,
// and tests use this.
//
// Each object has a connection of its own. Every call but the Watch functions
// waits for the daemon, should it be away, until its deadline, and is repeated
// if it loses the connection, as all but Shutdown may be.
//
// Thread-safe. In a process forked from the one that opened it, every call
// returns FAILED_PRECONDITION and touches neither gRPC nor a lock, and the last
// reference leaves the object as it is: gRPC's threads were not forked.
#ifndef WARMPOOL_CLIENT_ADMIN_ADMIN_CALLS_H_
#define WARMPOOL_CLIENT_ADMIN_ADMIN_CALLS_H_

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
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class AdminCalls {
 public:
  struct Options {
    // Of every call.
    absl::Duration deadline = absl::Seconds(10);
    // As in ClientOptions.
    std::optional<uid_t> daemon_uid = std::nullopt;
  };

  // Returns once connected. Errors are those of Client::Connect.
  static absl::StatusOr<std::shared_ptr<AdminCalls>> Open(
      const std::string& target, const Options& options);
  static absl::StatusOr<std::shared_ptr<AdminCalls>> Open(
      const std::string& target) {
    return Open(target, Options());
  }

  AdminCalls(const AdminCalls&) = delete;
  AdminCalls& operator=(const AdminCalls&) = delete;

  // The errors of all calls are those of the RPC and of DaemonChannel::Call.

  absl::StatusOr<v1::GetStatsResponse> GetStats();
  // All pages. Of `filter`, the paging fields are ignored. With a client_id one
  // buffer may be told several times, with some of the client's leases each.
  absl::StatusOr<std::vector<v1::Buffer>> ListBuffers(
      v1::ListBuffersRequest filter = {});
  // `limit`: 1 to 1000; 0: 100.
  absl::StatusOr<v1::ListHoldersResponse> ListHolders(uint32_t limit = 0);

  // See watching.h.
  absl::Status WatchStats(
      absl::Duration interval,
      const std::function<bool(const v1::GetStatsResponse&)>& on_stats);
  absl::Status WatchBuffers(
      const std::string& name_prefix,
      const std::function<bool(const v1::BufferEvent&)>& on_event);

  absl::Status Revoke(const std::string& lease_id);
  absl::StatusOr<v1::TrimResponse> Trim();
  // UNSPECIFIED changes nothing.
  absl::StatusOr<v1::SetLogLevelResponse> SetLogLevel(v1::LogLevel level);
  // Does not wait for a daemon, nor try again: the next daemon is not meant.
  absl::StatusOr<v1::ShutdownResponse> Shutdown(bool revoke);

 private:
  struct Channel;

  AdminCalls(const std::string& target, const std::string& socket_path,
             const Options& options);
  ~AdminCalls();

  template <typename Request, typename Response, typename Rpc>
  absl::StatusOr<Response> Ask(Rpc rpc, const Request& request);

  const absl::Duration deadline_;
  const std::unique_ptr<Channel> channel_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_ADMIN_ADMIN_CALLS_H_
