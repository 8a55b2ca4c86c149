// RenewalCalls: renews leases and tells the daemon their sizes, many in one
// request, and records what the daemon says of each.
//
// Thread-safe.
#ifndef WARMPOOL_CLIENT_LEASES_RENEWAL_CALLS_H_
#define WARMPOOL_CLIENT_LEASES_RENEWAL_CALLS_H_

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/leases/known_leases.h"
#include "client/leases/lease_renewer.h"
#include "client/rpc/daemon_channel.h"

namespace warmpool {

class RenewalCalls {
 public:
  using Effort = DaemonChannel::Effort;
  using Outcomes = std::vector<LeaseRenewer::Outcome>;

  // `channel` and `known` must outlive it. `on_loss` is called where the
  // connection was lost, and where the daemon does not know a lease that is
  // live: it was granted by a daemon before this one.
  RenewalCalls(DaemonChannel* channel, KnownLeases* known,
               std::function<void()> on_loss);

  // One outcome for each, in their order.
  absl::StatusOr<Outcomes> Renew(
      const std::vector<LeaseRenewer::Renewal>& renewals, Effort effort);

  // Tells the daemon what it has not been told of sizes. The first error of
  // any; those after it were told all the same, if the daemon answers.
  absl::Status TellSizes(const std::vector<KnownLeases::Known>& untold,
                         const Effort& effort);

 private:
  void RecordVerdicts(const std::vector<LeaseRenewer::Renewal>& renewals,
                      const Outcomes& outcomes);

  DaemonChannel& channel_;
  KnownLeases& known_;
  const std::function<void()> on_loss_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_RENEWAL_CALLS_H_
