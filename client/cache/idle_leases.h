// IdleLeases: what a lease cache holds: a ThreadTier, which any thread uses
// without a lock, and behind it a BigCache. While there is nothing, it sleeps:
// the tier is closed, and nobody has to look after it.
//
// Externally synchronised, but for the tier itself. What is not to be kept any
// longer is appended to `*surplus`.
// Invariants: BigCache holds max_bytes at most; asleep, the tier is closed and
// both are empty.
#ifndef WARMPOOL_CLIENT_CACHE_IDLE_LEASES_H_
#define WARMPOOL_CLIENT_CACHE_IDLE_LEASES_H_

#include <cstdint>
#include <vector>

#include "absl/time/time.h"
#include "client/leases/mapped_lease.h"
#include "core/engine/bigcache.h"
#include "core/engine/thread_tier.h"
#include "core/memory/size_class.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

class IdleLeases {
 public:
  using Tier = ThreadTier<MappedLease>;
  // Segments taken from their MappedLeases, which go with them.
  using Surplus = std::vector<Eviction>;

  // Closes the tier, which must outlive this. `max_bytes` is BigCache's.
  IdleLeases(Tier* tier, uint64_t max_bytes, absl::Duration decay);

  bool awake() const { return awake_; }
  void Wake();
  // Goes to sleep if there is nothing here.
  void Rest(absl::Time now, Surplus* surplus);
  // Empties it; asleep for good.
  void Shut(absl::Time now, Surplus* surplus);

  // A lease of the class, or null. `ended`: what the tier gave already, and is
  // good for nothing; or null.
  MappedLease* Take(SizeClass size_class, MappedLease* ended, absl::Time now,
                    Surplus* surplus);
  // REQUIRES: awake, all the following.
  void Put(MappedLease* lease, absl::Time now, Surplus* surplus);
  // One that no caller used.
  void PutNew(MappedLease* lease, absl::Time now, Surplus* surplus);

  // A lease in use will not come back.
  void RecordDropped(SizeClass size_class, absl::Time now);

  // Moves on what lay in the tier at the last Sweep already, and finds what
  // has ended.
  void Sweep(absl::Time now, Surplus* surplus);
  // Returns when the next decays.
  absl::Time EvictDecayed(absl::Time now, Surplus* surplus) {
    return bigcache_.EvictDecayed(now, surplus);
  }
  // The coldest, until they are `wanted_bytes` (0: all) or nothing is left.
  void Trim(uint64_t wanted_bytes, absl::Time now, Surplus* surplus);

  v1::IdleReport Report() const;
  // What BigCache may still take.
  uint64_t room_bytes() const {
    return max_bytes_ - bigcache_.retained_bytes();
  }
  // Leases that Take or the tier has given.
  uint64_t hits() const;
  void CheckInvariants() const;

 private:
  void Retain(MappedLease* lease, absl::Time now, Surplus* surplus);
  // Of a lease that is not to be used again.
  void Drop(MappedLease* lease, absl::Time now, Surplus* surplus);
  void SweepTier(bool all, absl::Time now, Surplus* surplus);

  const uint64_t max_bytes_;
  const SizeClasses& classes_;
  Tier& tier_;
  BigCache bigcache_;
  bool awake_ = false;
  // Of those that the tier and BigCache count as taken.
  uint64_t dropped_by_take_ = 0;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CACHE_IDLE_LEASES_H_
