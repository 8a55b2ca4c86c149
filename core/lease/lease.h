// The words of leasing: grants, and how leases end. Holders and requests have
// headers of their own.
//
// Plain values.
#ifndef WARMPOOL_CORE_LEASE_LEASE_H_
#define WARMPOOL_CORE_LEASE_LEASE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "core/engine/warmth.h"
#include "core/lease/holder.h"
#include "core/lease/lease_request.h"

namespace warmpool {

// Leases of a kind that no process has.
struct UnheldCount {
  size_t leases = 0;
  // Of their segments.
  uint64_t bytes = 0;

  friend bool operator==(const UnheldCount&, const UnheldCount&) = default;
};

// One of them.
struct UnheldLease {
  std::string buffer_name;
  // Of the buffer.
  uid_t uid = 0;
  bool is_ticket = false;
  // Of the segment.
  uint64_t bytes = 0;
  Process maker;
  absl::Duration ttl_left;
};

// Whether a holder is known to count on its lease.
enum class LeaseState {
  kLive,
  // Taken over from an earlier daemon by its journal, and its holder has not
  // shown itself since: it has not renewed, asserted or asked for it again.
  kRecovering,
};

// What a lease is for.
enum class LeaseKind {
  // A client process has it.
  kHeld,
  // Nobody has it: it waits for whoever claims it with its id, the ticket.
  kTicket,
  // Nobody has it: it keeps a sealed buffer for those who attach to it later.
  kLingering,
};

// A lease as its holder needs it.
struct LeaseGrant {
  LeaseId id;
  uint64_t generation = 0;
  std::string buffer_name;
  // Absolute path of the segment's file.
  std::string path;
  // Bytes asked for, and bytes of the segment.
  uint64_t bytes = 0;
  uint64_t segment_bytes = 0;
  size_t page_bytes = 0;
  Warmth warmth = Warmth::kFresh;
  bool zeroed = false;
  // Time to live granted. Zero: as long as the holder lives.
  absl::Duration ttl;
  Access access = Access::kSharedWritable;
  // Nobody can write to the buffer any more.
  bool sealed = false;
};

// A lease that a client says it has, after a daemon has started anew: what it
// takes to take it up again where the daemon's own journal does not tell.
struct AssertedLease {
  LeaseId id;
  RequestId request_id;
  ClientId client_id;
  uint64_t generation = 0;
  std::string buffer_name;
  // Name of the segment's file in the daemon's directory.
  std::string file_name;
  uint64_t bytes = 0;
  Access access = Access::kSharedWritable;
  bool sealed = false;
  absl::Duration ttl;
};

struct LeaseRef {
  LeaseId id;
  // 0: not checked.
  uint64_t generation = 0;
  // On release: those of the other members of its channel end, too.
  bool for_all_members = false;
};

enum class EndCause {
  kReleased,
  kExpired,
  // A ticket: nobody claimed it within its time to live.
  kUnclaimed,
  // A sealed buffer was kept for as long as its sealer asked for.
  kLingered,
  kRevoked,
  kHolderDied,
  // Its holder had no connection for long, and nobody had the segment.
  kUnused,
  // Its holder made a ticket of it, or the ticket was claimed.
  kHandedOver,
};

// Tells a holder that a lease of its own ended without its release.
struct RevokedLease {
  HolderId holder = 0;
  LeaseId id;
  std::string buffer_name;
  EndCause cause = EndCause::kRevoked;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_LEASE_LEASE_H_
