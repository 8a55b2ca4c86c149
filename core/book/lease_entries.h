// The entries of the LeaseTable: buffers, leases on them, and what remains of
// a lease that ended.
#ifndef WARMPOOL_CORE_BOOK_LEASE_ENTRIES_H_
#define WARMPOOL_CORE_BOOK_LEASE_ENTRIES_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"
#include "core/memory/segment.h"

namespace warmpool {

struct BufferEntry {
  // In a channel, as many leases as are ended in one go.
  static constexpr size_t kMaxMemberLeases = 1024;
  // RESOURCE_EXHAUSTED: it is in a channel, and has that many.
  absl::Status MayHaveAnotherLease() const;

  std::string name;
  uid_t uid = 0;
  uint64_t bytes = 0;
  uint64_t generation = 0;
  // No process can write to it any more.
  bool sealed = false;
  // Others than its uid who may attach to it.
  Sharing share_with;
  // It is being sealed, or given to another holder: no lease for writing is
  // granted on it meanwhile.
  bool handing_over = false;
  Segment segment;
  absl::Time granted_at;
  absl::btree_set<LeaseId> leases;
  // Those of them that a process has.
  size_t held_leases = 0;
  size_t pins = 0;
};

struct LeaseEntry {
  LeaseId id;
  HolderId holder = 0;
  RequestId request_id;
  ClientId client_id;
  BufferEntry* buffer = nullptr;
  LeaseKind kind = LeaseKind::kHeld;
  // Who made the ticket, or sealed the buffer that lingers. Null: a process
  // has the lease.
  std::shared_ptr<const Process> maker;
  Access access = Access::kSharedWritable;
  LeaseState state = LeaseState::kLive;
  Warmth warmth = Warmth::kFresh;
  bool zeroed = false;
  // For how long its buffer is kept after its end. Zero, but for the lease of
  // who sealed it.
  absl::Duration linger;
  // Zero: as long as the holder lives.
  absl::Duration ttl;
  absl::Time granted_at;
  // When the holder last asked for it, renewed or asserted it.
  absl::Time touched_at;
  absl::Time expires_at = absl::InfiniteFuture();
};

// What remains of a lease that ended.
struct EndedLease {
  RevokedLease lease;
  // Pinned by the end, and to be unpinned once that has been recorded.
  BufferEntry* buffer = nullptr;
  // Of the lease that keeps its buffer from here on, where that lingers.
  std::optional<LeaseRecord> successor = std::nullopt;
};

// Leases in the order of their buffers, by uid and name, and of their ids. The
// names are the buffers' own.
using LeasesByBuffer =
    absl::btree_set<std::tuple<uid_t, absl::string_view, LeaseId>>;
inline LeasesByBuffer::value_type KeyOf(const LeaseEntry& lease) {
  return {lease.buffer->uid, lease.buffer->name, lease.id};
}

// Where a lease is, or was, in that order.
struct LeasePlace {
  uid_t uid = 0;
  std::string name;
  LeaseId id;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LEASE_ENTRIES_H_
