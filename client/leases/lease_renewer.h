// LeaseRenewer: renews leases before their time to live runs out.
//
// A lease is due a third of its time to live after it was granted or renewed:
// should that renewal fail, there is time for several more. All that are due
// go in one call, and those that will be soon ride along, so that leases
// granted at different moments end up in the same calls.
//
// Thread-safe. The renew function is called under no lock, by one thread at a
// time: the keeper's own after Start(), otherwise whoever calls RenewDue().
#ifndef WARMPOOL_CLIENT_LEASES_LEASE_RENEWER_H_
#define WARMPOOL_CLIENT_LEASES_LEASE_RENEWER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/leases/ticker.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace warmpool {

class LeaseRenewer {
 public:
  struct Renewal {
    // 16 raw bytes.
    std::string lease_id;
    uint64_t generation = 0;
    // The time to live to ask for: the one granted.
    absl::Duration ttl;
    // To tell the daemon, which knows another. 0: none.
    uint64_t size_bytes = 0;
  };

  // The time to live granted (zero: as long as the process lives), or the
  // daemon's verdict on that lease.
  using Outcome = absl::StatusOr<absl::Duration>;

  // One outcome for each renewal, in order; or why there was no answer.
  using RenewFunction = std::function<absl::StatusOr<std::vector<Outcome>>(
      const std::vector<Renewal>&)>;

  // A renewal takes some 45 bytes, and the daemon refuses requests above
  // 64 KiB.
  static constexpr size_t kMaxRenewals = 1000;

  // `clock` must outlive this.
  LeaseRenewer(const Clock* clock, RenewFunction renew);

  // Renews `lease` until it is dropped or the daemon says that it has ended; of
  // one that is kept already, a renewal under way does not count any more.
  // `granted` is a moment of the clock at or before the grant. One without a
  // finite time to live needs no keeping and is ignored.
  void Keep(Renewal lease, absl::Time granted);

  // Forgets a lease, if it is kept. One renewal of it may be under way.
  void Drop(const std::string& lease_id);

  // Renews what is due. Returns when to come back; InfiniteFuture if nothing
  // is kept. Not to be called after Start().
  absl::Time RenewDue();

  // Gets the thread for Start: see Ticker.
  absl::Status Prepare() { return ticker_.Prepare(); }
  // Calls RenewDue() whenever something is due, from a thread that it starts
  // the first time.
  void Start() { ticker_.Start(); }
  // Waits for a renewal that is under way; there will be no other. The
  // destructor does it too.
  void Stop() { ticker_.Stop(); }

  // Number of leases kept.
  size_t size() const;

 private:
  struct Kept {
    Renewal renewal;
    absl::Time due;
    // A renewal of it is under way.
    bool asked = false;
  };

  std::vector<Renewal> TakeDueLocked(absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SettleLocked(const Renewal& renewal, const Outcome& outcome,
                    absl::Time asked) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Time NextDueLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  const RenewFunction renew_;

  mutable Mutex mutex_;
  // By lease id.
  absl::flat_hash_map<std::string, Kept> kept_ ABSL_GUARDED_BY(mutex_);

  // Last: its thread calls RenewDue.
  Ticker ticker_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_LEASE_RENEWER_H_
