// Reconciliation: brings what a client knows and what the daemon has for it to
// agree, after the connection between them was lost. A daemon that started anew
// may not know leases that its journal no longer tells of; and where an answer
// was lost on the way, it may have leases that the client does not know.
//
// Makes its calls once, without waiting for a daemon: who calls it tries again.
// Thread-safe.
#ifndef WARMPOOL_CLIENT_LEASES_RECONCILIATION_H_
#define WARMPOOL_CLIENT_LEASES_RECONCILIATION_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/leases/known_leases.h"
#include "client/rpc/daemon_channel.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class Reconciliation {
 public:
  struct Options {
    // 16 raw bytes, which the client's requests have too.
    std::string client_id;
    // Of each call.
    absl::Duration deadline;
    // A lease was taken up with a time to live, at the earliest at `asked`, a
    // moment of the monotonic clock.
    std::function<void(const v1::GrantedLease& lease, absl::Duration ttl,
                       absl::Time asked)>
        on_asserted;
  };

  // An asserted lease takes 250 bytes at most, a reference to one some 30, and
  // the daemon refuses requests above 64 KiB.
  static constexpr size_t kMaxAssertions = 100;
  static constexpr size_t kMaxReleases = 1000;

  // What is pointed to must outlive this.
  Reconciliation(DaemonChannel* channel, KnownLeases* known, Options options);

  // States all live leases that are known: those that the daemon takes up get a
  // full time to live, those of which it says that they have ended (HasEnded)
  // are lost. A daemon that has no such call leaves everything as it is. Not
  // OK: not all of them have a verdict; they are live, to be tried again.
  absl::Status AssertKnown();

  // The same for one of them. NOT_FOUND: it is not known, or the daemon has no
  // such call. Other errors: why there is no verdict, or the verdict.
  absl::Status AssertOne(const std::string& lease_id);

  // Releases the leases that the daemon has for this client and that are
  // forgotten. False: a request is in doubt, so that there may be more of them
  // later. Not OK: to be tried again.
  absl::StatusOr<bool> ReleaseForgotten();

 private:
  struct Listed {
    std::vector<v1::LeaseRef> forgotten;
    absl::flat_hash_set<std::string> requests;
  };

  // UNIMPLEMENTED: the daemon has no such call.
  absl::Status Assert(const std::vector<KnownLeases::Known>& leases);
  absl::StatusOr<Listed> List();
  void AddListed(const v1::Buffer& buffer, Listed* listed) const;
  absl::Status Release(const std::vector<v1::LeaseRef>& leases);

  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(DaemonChannel::Rpc<Request, Response> rpc,
                               const Request& request);

  DaemonChannel& channel_;
  KnownLeases& known_;
  const Options options_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_RECONCILIATION_H_
