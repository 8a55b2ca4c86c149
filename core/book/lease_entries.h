// The entries of the LeaseTable: buffers, leases on them, and ended leases.
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
  // For a buffer in a channel: so many leases can be ended at once.
  static constexpr size_t kMaxMemberLeases = 1024;
  // RESOURCE_EXHAUSTED: the buffer is in a channel and has kMaxMemberLeases.
  absl::Status MayHaveAnotherLease() const;

  std::string name;
  uid_t uid = 0;
  uint64_t bytes = 0;
  uint64_t generation = 0;
  // No process can write to the buffer.
  bool sealed = false;
  // Other uids and groups that may attach.
  Sharing share_with;
  // The buffer is being sealed or given to another holder: the pool grants no
  // writable lease on it meanwhile.
  bool handing_over = false;
  Segment segment;
  absl::Time granted_at;
  absl::btree_set<LeaseId> leases;
  // Leases that a process has.
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
  // The process that made the ticket, or sealed the lingering buffer. Null: a
  // process has the lease.
  std::shared_ptr<const Process> maker;
  Access access = Access::kSharedWritable;
  LeaseState state = LeaseState::kLive;
  Warmth warmth = Warmth::kFresh;
  bool zeroed = false;
  // How long the buffer is kept after this lease has ended. Zero unless this
  // lease's holder sealed the buffer.
  absl::Duration linger;
  // Zero: as long as the holder lives.
  absl::Duration ttl;
  absl::Time granted_at;
  // When the holder last requested, renewed or asserted the lease.
  absl::Time touched_at;
  absl::Time expires_at = absl::InfiniteFuture();
};

// What is kept of a lease that ended.
struct EndedLease {
  RevokedLease lease;
  // Pinned by the end; unpinned once the end has been recorded.
  BufferEntry* buffer = nullptr;
  // If the buffer lingers: the lease that keeps it.
  std::optional<LeaseRecord> successor = std::nullopt;
};

// Leases ordered by buffer (uid, then name) and lease id. The name views point
// into the buffers.
using LeasesByBuffer =
    absl::btree_set<std::tuple<uid_t, absl::string_view, LeaseId>>;
inline LeasesByBuffer::value_type KeyOf(const LeaseEntry& lease) {
  return {lease.buffer->uid, lease.buffer->name, lease.id};
}

// The position of a lease, live or ended, in that order.
struct LeasePlace {
  uid_t uid = 0;
  std::string name;
  LeaseId id;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LEASE_ENTRIES_H_
