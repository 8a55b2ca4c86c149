// LeaseTable: holders, their leases, the leased buffers, buffer names, and the
// request ids that were answered.
//
// Externally synchronised; makes no system call. No function examines all
// leases, or all leases of a buffer, a holder or a client: callers get long
// lists a few entries at a time. So the tables are ordered sets; a growing hash
// table would also move all entries at once while the lock is held.
//
// A buffer is pinned while an operation uses it without holding the lock: it
// stays in place and keeps its name and segment, even when its last lease ends.
//
// Invariants: every lease has a live holder and a buffer; every buffer has a
// lease or is pinned, and is found by its name; every live lease is found by
// its request id, by its client and, if it has a time to live, by its expiry;
// recovering leases are listed; a sealed buffer has no writable lease; a ticket
// is the only lease on its buffer.
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
  // How many recovering leases one RecordShown makes live at most.
  static constexpr size_t kShownAtOnce = 64;

  using Buffer = BufferEntry;
  using Lease = LeaseEntry;
  using Ended = EndedLease;

  LeaseTable();
  ~LeaseTable();

  // If the holder is known already, replaces its groups.
  void AddHolder(Holder holder);
  // REQUIRES: the holder has no leases.
  void RemoveHolder(HolderId id);
  const HolderTable& holders() const { return holders_; }

  // --- Requests: Begin, then AddBuffer or Attach, or Abandon. ---
  // The lease that an earlier request with this id got. Null: the request is
  // new, and in progress from then on. ABORTED: it is already in progress.
  // FAILED_PRECONDITION: its lease has ended.
  absl::StatusOr<const Lease*> Begin(HolderId holder,
                                     const RequestId& request_id);
  void Abandon(HolderId holder, const RequestId& request_id);

  // ALREADY_EXISTS, naming its holder: the name is taken or reserved.
  absl::Status ReserveName(uid_t uid, const std::string& name, absl::Time now);
  void AbandonName(uid_t uid, const std::string& name);

  // The buffer of that name, or null if there is none or it has no lease.
  Buffer* FindBuffer(uid_t uid, const std::string& name) const;
  void Pin(Buffer* buffer) { ++buffer->pins; }
  // Returns the segment if no lease and no pin is left. The buffer is then
  // gone, and its name is free.
  std::optional<Segment> Unpin(Buffer* buffer);
  static bool GoesWhenUnpinned(const Buffer& buffer) {
    return buffer.pins == 1 && buffer.leases.empty();
  }

  // Adds a buffer with a reserved name; `lease` becomes its first lease.
  const Lease& AddBuffer(Buffer buffer, Lease lease);
  // Adds a lease on an existing buffer.
  const Lease& AddLease(Buffer* buffer, Lease lease);

  // --- Leases ---
  // A live lease that `holder` may act on. Null: released before. NOT_FOUND:
  // never granted, or forgotten. PERMISSION_DENIED: another holder's, unless
  // `as_admin`. FAILED_PRECONDITION: ended without a release, or another
  // generation.
  absl::StatusOr<const Lease*> Find(HolderId holder, const LeaseRef& ref,
                                    bool as_admin) const;
  // The holder has made a request for the lease: a recovering lease becomes
  // live. REQUIRES: the lease is in the table.
  void Renew(const LeaseId& id, absl::Duration ttl, absl::Time now);
  // A client has shown that it knows the buffer: makes its recovering leases on
  // it live, with a full time to live. At most kShownAtOnce leases per call; a
  // client with more must call again.
  void RecordShown(const Buffer& buffer, HolderId holder,
                   const ClientId& client, absl::Time now);
  // Records that the holder of `id` sealed the buffer. REQUIRES: the lease is
  // live.
  void Seal(const LeaseId& id, const SealRequest& request);
  Ended End(const LeaseId& id, EndCause cause);

  // Up to `limit` leases whose time to live ran out by `now`, earliest first.
  std::vector<LeaseId> Expired(absl::Time now, size_t limit = SIZE_MAX) const;
  // InfiniteFuture if no lease expires.
  absl::Time NextExpiry() const;
  // The first `most` leases in the order of their ids, after `after`.
  std::vector<LeaseId> Leases(
      size_t most = SIZE_MAX,
      const std::optional<LeaseId>& after = std::nullopt) const;

  size_t lease_count() const { return leases_.size(); }
  // Leases that no process has: tickets and lingering leases.
  const UnheldCount& tickets() const { return tickets_; }
  const UnheldCount& lingering() const { return lingering_; }
  size_t recovering_count() const { return recovering_.size(); }
  size_t buffer_count() const { return buffer_count_; }

  // Buffers by (uid, name), so that a listing for one uid visits no other uid's
  // buffers. A null value is a reserved name. A buffer without a lease is about
  // to be removed.
  using BuffersByName =
      absl::btree_map<std::pair<uid_t, std::string>, std::unique_ptr<Buffer>>;
  const BuffersByName& buffers() const { return buffers_; }
  // Leases of a client that gave its client id. Null: it has none.
  const LeasesByBuffer* LeasesOfClient(const ClientId& client) const;
  // REQUIRES: the lease is live.
  const Lease& LeaseOf(const LeaseId& id) const { return *leases_.at(id); }
  LeasePlace PlaceOf(const LeaseId& id) const;

  void CheckInvariants() const;

 private:
  using RequestKey = std::pair<HolderId, RequestId>;

  // By buffer, holder and client: the keys of RecordShown.
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
  // Without leases of clients that gave no client id.
  absl::btree_map<ClientId, LeasesByBuffer> leases_by_client_;
  BuffersByName buffers_;
  size_t buffer_count_ = 0;
  UnheldCount tickets_;
  UnheldCount lingering_;
  absl::btree_set<Recovering> recovering_;
  std::set<std::pair<absl::Time, LeaseId>> expiries_;
  // nullopt: in progress.
  absl::btree_map<RequestKey, std::optional<LeaseId>> requests_;
  RememberedEnds ended_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LEASE_TABLE_H_
