// LeaseTable: who holds what. Holders, their leases, the buffers that these
// are on, buffer names, and the request ids that were answered.
//
// Externally synchronised; makes no system call.
// A buffer is pinned while something that concerns it is done without what
// synchronises the table: it stays where it is and keeps its name and segment,
// even when its last lease ends.
// Invariants: every lease has a live holder and a buffer; every buffer has a
// lease or is pinned, and its name leads to it; every live lease is found by its
// request id and, if it has a time to live, by its expiry; the recovering ones
// are counted; nobody has a lease to write to a sealed buffer, and a ticket is the
// only lease on its buffer.
#ifndef WARMPOOL_CORE_POOL_LEASE_TABLE_H_
#define WARMPOOL_CORE_POOL_LEASE_TABLE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/memory/segment.h"
#include "core/pool/lease.h"
#include "core/pool/lease_record.h"

namespace warmpool {

class LeaseTable {
 public:
  // Ended leases that are remembered, so that a late release or a repeated
  // request gets an answer that says what happened. About 200 bytes each.
  static constexpr size_t kRememberedEnds = 16384;

  struct Buffer {
    std::string name;
    uid_t uid = 0;
    uint64_t bytes = 0;
    uint64_t generation = 0;
    // Nobody can write to it any more.
    bool sealed = false;
    // Others than its uid who may attach to it.
    Sharing share_with;
    // It is being sealed, or given to another holder: nobody may get a lease on
    // it for writing meanwhile.
    bool handing_over = false;
    Segment segment;
    absl::Time granted_at;
    absl::flat_hash_set<LeaseId> leases;
    size_t pins = 0;

    // In a channel, as many leases as are ended in one go.
    static constexpr size_t kMaxMemberLeases = 1024;
    absl::Status MayHaveAnotherLease() const;
  };

  struct Lease {
    LeaseId id;
    HolderId holder = 0;
    RequestId request_id;
    ClientId client_id;
    Buffer* buffer = nullptr;
    LeaseKind kind = LeaseKind::kHeld;
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
  struct Ended {
    RevokedLease lease;
    // Pinned by the end, and to be unpinned once that has been recorded.
    Buffer* buffer = nullptr;
    // Of the lease that keeps its buffer from here on, where that lingers.
    std::optional<LeaseRecord> successor = std::nullopt;
  };

  LeaseTable();
  ~LeaseTable();

  // --- Holders ---
  // Of one that is known, its groups become those.
  void AddHolder(Holder holder);
  // The holder, or null once it is removed.
  const Holder* FindHolder(HolderId id) const;
  // Leases of a holder.
  std::vector<LeaseId> LeasesOf(HolderId id) const;
  bool HasLeases(HolderId id) const;
  // What each holder that has a lease has.
  std::vector<HolderUsage> Usages() const;
  // REQUIRES: it has no leases.
  void RemoveHolder(HolderId id);

  // --- Requests: Begin, then AddBuffer or Attach, or Abandon. ---
  // The lease that this request id was answered with before; null if the
  // request is a new one, which is then under way. ABORTED: it is under way
  // already. FAILED_PRECONDITION: its lease has ended.
  absl::StatusOr<const Lease*> Begin(HolderId holder,
                                     const RequestId& request_id);
  void Abandon(HolderId holder, const RequestId& request_id);

  // ALREADY_EXISTS, naming its holder: the name is taken or being taken.
  absl::Status ReserveName(uid_t uid, const std::string& name, absl::Time now);
  void AbandonName(uid_t uid, const std::string& name);

  // The buffer of that name, if it has a lease, or null.
  Buffer* FindBuffer(uid_t uid, const std::string& name);
  void Pin(Buffer* buffer) { ++buffer->pins; }
  // The segment, if the buffer has neither lease nor pin left: it is gone then,
  // and its name free.
  std::optional<Segment> Unpin(Buffer* buffer);
  static bool GoesWhenUnpinned(const Buffer& buffer) {
    return buffer.pins == 1 && buffer.leases.empty();
  }

  // Makes a buffer of a reserved name; `lease` becomes its first lease.
  const Lease& AddBuffer(Buffer buffer, Lease lease);
  // Adds a lease on a buffer that exists.
  const Lease& AddLease(Buffer* buffer, Lease lease);

  // --- Leases ---
  // A live lease that `holder` may act on. NOT_FOUND: never granted, or
  // forgotten. PERMISSION_DENIED: another holder's, unless `as_admin`.
  // FAILED_PRECONDITION: ended otherwise than by release, or of another
  // generation. A null lease: released before.
  absl::StatusOr<const Lease*> Find(HolderId holder, const LeaseRef& ref,
                                    bool as_admin) const;
  // Its holder has shown itself: a recovering one is live from here on.
  // REQUIRES: the lease is there.
  void Renew(const LeaseId& id, absl::Duration ttl, absl::Time now);
  // A client has shown that it knows the buffer: gives its recovering leases on
  // it a full time to live.
  void NoteShown(const Buffer& buffer, HolderId holder, const ClientId& client,
                 absl::Time now);
  // The holder of `id` has sealed its buffer. REQUIRES: the lease is live.
  void Seal(const LeaseId& id, const SealRequest& request);
  Ended End(const LeaseId& id, EndCause cause);

  // Leases whose time to live ran out by `now`: the first of them, up to
  // `limit`.
  std::vector<LeaseId> Expired(absl::Time now, size_t limit = SIZE_MAX) const;
  // InfiniteFuture if none expires.
  absl::Time NextExpiry() const;
  std::vector<LeaseId> AllLeases() const;

  size_t lease_count() const { return leases_.size(); }
  size_t recovering_count() const { return recovering_count_; }
  size_t buffer_count() const { return buffer_count_; }
  size_t holder_count() const { return holders_.size(); }

  // Buffers by (name, uid); a null value is a name being taken. One without a
  // lease is about to go.
  using BuffersByName =
      absl::btree_map<std::pair<std::string, uid_t>, std::unique_ptr<Buffer>>;
  const BuffersByName& buffers() const { return buffers_; }
  // REQUIRES: the lease is live.
  const Lease& LeaseOf(const LeaseId& id) const { return leases_.at(id); }

  void CheckInvariants() const;

 private:
  using RequestKey = std::pair<HolderId, RequestId>;

  struct HolderEntry {
    Holder holder;
    absl::flat_hash_set<LeaseId> leases;
    // Of their segments.
    uint64_t bytes = 0;
  };
  struct EndedEntry {
    HolderId holder = 0;
    RequestId request_id;
    EndCause cause = EndCause::kReleased;
  };

  void RememberEnd(const Lease& lease, EndCause cause);

  absl::flat_hash_map<HolderId, HolderEntry> holders_;
  absl::flat_hash_map<LeaseId, Lease> leases_;
  BuffersByName buffers_;
  size_t buffer_count_ = 0;
  size_t recovering_count_ = 0;
  std::set<std::pair<absl::Time, LeaseId>> expiries_;
  // nullopt: under way.
  absl::flat_hash_map<RequestKey, std::optional<LeaseId>> requests_;
  absl::flat_hash_map<LeaseId, EndedEntry> ended_;
  // The ids of ended_, the oldest first.
  std::deque<LeaseId> ended_order_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_LEASE_TABLE_H_
