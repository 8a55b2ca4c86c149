// LeaseTable: who holds what. Holders, their leases, the buffers that these
// are on, buffer names, and the request ids that were answered.
//
// Externally synchronised; makes no system call. Nothing in here looks at all
// leases, or at all of a buffer, a holder or a client: what may be many is
// asked for a few at a time. So these are ordered sets; a hash table that grows
// would also move everything at once, while everybody waits. A buffer is pinned
// while something that concerns it is done without what synchronises the table:
// it stays where it is and keeps its name and segment, even when its last lease
// ends. Invariants: every lease has a live holder and a buffer; every buffer
// has a lease or is pinned, and its name leads to it; every live lease is found
// by its request id, by its client and, if it has a time to live, by its
// expiry; the recovering ones are known; nobody has a lease to write to a
// sealed buffer, and a ticket is the only lease on its buffer.
#ifndef WARMPOOL_CORE_BOOK_LEASE_TABLE_H_
#define WARMPOOL_CORE_BOOK_LEASE_TABLE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "core/book/holder_table.h"
#include "core/book/lease_entries.h"
#include "core/book/remembered_ends.h"
#include "core/lease/lease.h"
#include "core/lease/lease_record.h"
#include "core/memory/segment.h"

namespace warmpool {

class LeaseTable {
 public:
  // Recovering leases that one RecordShown makes live, at most.
  static constexpr size_t kShownAtOnce = 64;

  using Buffer = BufferEntry;
  using Lease = LeaseEntry;
  using Ended = EndedLease;

  LeaseTable();
  ~LeaseTable();

  // Of a holder that is known, the groups become those.
  void AddHolder(Holder holder);
  // REQUIRES: it has no leases.
  void RemoveHolder(HolderId id);
  const HolderTable& holders() const { return holders_; }

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
  Buffer* FindBuffer(uid_t uid, const std::string& name) const;
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
  // it a full time to live. Only kShownAtOnce of them: who has more on one
  // buffer shows himself for the others another time.
  void RecordShown(const Buffer& buffer, HolderId holder,
                   const ClientId& client, absl::Time now);
  // The holder of `id` has sealed its buffer. REQUIRES: the lease is live.
  void Seal(const LeaseId& id, const SealRequest& request);
  Ended End(const LeaseId& id, EndCause cause);

  // Leases whose time to live ran out by `now`: the first of them, up to
  // `limit`.
  std::vector<LeaseId> Expired(absl::Time now, size_t limit = SIZE_MAX) const;
  // InfiniteFuture if none expires.
  absl::Time NextExpiry() const;
  // Leases in the order of their ids: the first `most` of them, or the first
  // behind `after`.
  std::vector<LeaseId> Leases(
      size_t most = SIZE_MAX,
      const std::optional<LeaseId>& after = std::nullopt) const;

  size_t lease_count() const { return leases_.size(); }
  // Those that no process has: tickets, and those that linger.
  const UnheldCount& tickets() const { return tickets_; }
  const UnheldCount& lingering() const { return lingering_; }
  size_t recovering_count() const { return recovering_.size(); }
  size_t buffer_count() const { return buffer_count_; }

  // Buffers by (uid, name), so that a listing for one uid passes by no other's;
  // a null value is a name being taken. One without a lease is about to go.
  using BuffersByName =
      absl::btree_map<std::pair<uid_t, std::string>, std::unique_ptr<Buffer>>;
  const BuffersByName& buffers() const { return buffers_; }
  // Leases of a client that said who it is. Null: it has none.
  const LeasesByBuffer* LeasesOfClient(const ClientId& client) const;
  // REQUIRES: the lease is live.
  const Lease& LeaseOf(const LeaseId& id) const { return *leases_.at(id); }
  LeasePlace PlaceOf(const LeaseId& id) const;

  void CheckInvariants() const;

 private:
  using RequestKey = std::pair<HolderId, RequestId>;

  // By its buffer, holder and client: what RecordShown looks for.
  using Recovering = std::tuple<const Buffer*, HolderId, ClientId, LeaseId>;

  static Recovering RecoveringKeyOf(const Lease& lease) {
    return {lease.buffer, lease.holder, lease.client_id, lease.id};
  }
  void RememberEnd(const Lease& lease, EndCause cause);
  // Null: a process has the lease.
  UnheldCount* UnheldOf(const Lease& lease);
  void CheckLeases() const;
  void CheckBuffers() const;

  HolderTable holders_;
  absl::btree_map<LeaseId, std::unique_ptr<Lease>> leases_;
  // Without those of clients that did not say who they are.
  absl::btree_map<ClientId, LeasesByBuffer> leases_by_client_;
  BuffersByName buffers_;
  size_t buffer_count_ = 0;
  UnheldCount tickets_;
  UnheldCount lingering_;
  absl::btree_set<Recovering> recovering_;
  std::set<std::pair<absl::Time, LeaseId>> expiries_;
  // nullopt: under way.
  absl::btree_map<RequestKey, std::optional<LeaseId>> requests_;
  RememberedEnds ended_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LEASE_TABLE_H_
