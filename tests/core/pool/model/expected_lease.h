// The words of the model: what it knows of a buffer, of a lease, and of its
// end.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_LEASE_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_LEASE_H_

#include <sys/types.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "core/book/buffer_events.h"
#include "core/lease/lease.h"

namespace warmpool {

struct ExpectedBuffer {
  std::string path;
  uint64_t bytes = 0;
  uint64_t segment_bytes = 0;
  uint64_t generation = 0;
  // What its clients wrote into it.
  uint64_t mark = 0;
  bool sealed = false;
  Sharing share_with = {};
  std::set<LeaseId> leases = {};
  // The ends of lingering leases whose ids are not known yet.
  std::multiset<absl::Time> lingering = {};
  // A client took pages away: what it wrote is gone.
  bool tampered = false;
  // A seal failed, and so may its undoing have done: no proof holds.
  bool may_be_half_sealed = false;
};

struct ExpectedLease {
  using BufferKey = std::pair<uid_t, std::string>;
  // Of leases that no process has: tickets, and those that linger.
  static constexpr HolderId kNoHolder = UINT64_MAX;

  HolderId holder = kNoHolder;
  BufferKey buffer;
  LeaseKind kind = LeaseKind::kHeld;
  Access access = Access::kSharedWritable;
  // Zero: as long as the holder lives.
  absl::Duration ttl;
  // Of the lease that the ticket was made of.
  LeaseId made_of = {};
  absl::Duration linger = absl::ZeroDuration();
  absl::Time expires_at = absl::InfiniteFuture();
  absl::Time touched_at = absl::InfinitePast();
  // Taken up from a journal, and its holder has not shown itself since.
  bool recovering = false;
};

struct ExpectedEnd {
  HolderId holder = 0;
  EndCause cause = EndCause::kReleased;
  // That the end is remembered for.
  uid_t uid = 0;
};

// What a holder is told of a lease's end.
struct ToldEnd {
  HolderId holder = 0;
  std::string buffer_name;
  EndCause cause = EndCause::kRevoked;

  friend bool operator==(const ToldEnd&, const ToldEnd&) = default;
};

struct ExpectedEvent {
  BufferEvents::Kind kind = BufferEvents::Kind::kResync;
  uint64_t generation = 0;
  uint64_t bytes = 0;

  friend bool operator==(const ExpectedEvent&, const ExpectedEvent&) = default;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_EXPECTED_LEASE_H_
