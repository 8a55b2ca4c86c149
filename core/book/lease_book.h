// LeaseBook: what the operations of the pool know of leases, under one lock.
//
// Each operation plans under the lock, acts without it, and commits under it
// again. The lock is held for a few leases at a time and never over a system
// call or a callback: no hold is longer because the table is large. While an
// operation acts, its buffer is pinned (LeaseTable) or reserved (Reservation).
// What must follow a change, such as waking those who wait for a buffer, is
// returned and goes to Effects, which apply it after the lock is released.
//
// Thread-safe as annotated: functions that require `mutex` say so.
#ifndef WARMPOOL_CORE_BOOK_LEASE_BOOK_H_
#define WARMPOOL_CORE_BOOK_LEASE_BOOK_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/random_id.h"
#include "core/book/attach_waits.h"
#include "core/book/buffer_events.h"
#include "core/book/last_refusals.h"
#include "core/book/lease_counts.h"
#include "core/book/lease_table.h"
#include "core/engine/uid_quota.h"
#include "core/lease/lease.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/segment.h"

namespace warmpool {

struct LeaseBook {
  // The holder of leases that no process has.
  static constexpr HolderId kPoolHolder = UINT64_MAX;
  static const Holder& PoolHolder();

  // Leases that are looked at or ended in one hold of the lock: about a
  // microsecond each. One of them may end all others on its buffer, of which
  // there are kMaxMemberLeases at most.
  static constexpr size_t kLeasesAtOnce = 64;

  // All must outlive this.
  LeaseBook(const SegmentDirectory* directory, const Clock* clock,
            RandomSource* random, UidQuota* quota, BufferEvents* events);

  // --- Grants ---
  // A lease with a random id, granted now. Of no buffer so far.
  LeaseTable::Lease NewLease(HolderId holder, const RequestId& request_id,
                             const ClientId& client_id, absl::Duration ttl,
                             Access access) const;
  LeaseGrant GrantOf(const LeaseTable::Lease& lease) const;
  // UNAVAILABLE: the holder's process is gone.
  absl::StatusOr<const Holder*> FindHolder(HolderId holder) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The checks before anything else: draining, holder, repetition. The lease
  // that the request was answered with before, or null: the request is under
  // way from here on.
  absl::StatusOr<const LeaseTable::Lease*> Begin(HolderId holder,
                                                 const RequestId& request_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Whether a lease that was journalled may be granted on a buffer of others,
  // or on a leftover: both may have changed since its request began.
  absl::Status MayCommit(HolderId holder, const LeaseId& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Adds a buffer of a reserved name with its first lease. Effects::Wake
  // follows, for the requests that wait for it.
  const LeaseTable::Lease& AddBuffer(LeaseTable::Buffer buffer,
                                     LeaseTable::Lease lease)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Whether the journal needs a record: not if it knows `ttl` already.
  bool Renew(const LeaseTable::Lease& lease, absl::Duration ttl, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // --- Ends ---
  // The live lease of that id, or null.
  const LeaseTable::Lease* FindLive(const LeaseId& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // `for_all`: every member of a channel loses its lease, so that the buffer
  // does not linger for them.
  LeaseTable::Ended End(const LeaseId& id, EndCause cause, bool for_all = false)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Ends the lease, and for a buffer in a channel the leases of all other
  // members: only the members know whose turn it is to use the buffer, so when
  // one of them dies the buffer is quarantined until it is proven free.
  void EndForAll(const LeaseId& id, EndCause cause,
                 std::vector<LeaseTable::Ended>* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Ends those of the leases that live still, as many as one hold of the lock
  // is for: that counts ends, of which one lease may bring many. Returns how
  // many leases are done.
  size_t EndSome(absl::Span<const LeaseId> leases, EndCause cause,
                 std::vector<LeaseTable::Ended>* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Puts `lease` in the place of a live one, on the same buffer.
  const LeaseTable::Lease& Exchange(const LeaseId& ended,
                                    LeaseTable::Lease lease)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The buffer's segment if it had neither lease nor another pin: Effects
  // return it. Its bytes count for its uid until SegmentPool has it back.
  std::optional<Segment> Unpin(LeaseTable::Buffer* buffer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Time NextExpiry() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Every change of a buffer that clients can watch goes through here; Effects
  // wake the watches.
  void Publish(BufferEvents::Kind kind, const LeaseTable::Buffer& buffer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  const SegmentDirectory& directory;
  const Clock& clock;
  RandomSource& random;
  // Synchronised by themselves. Events are published under `mutex`, and their
  // watches are woken under no lock.
  UidQuota& quota;
  BufferEvents& events;

  mutable Mutex mutex;
  LeaseTable table ABSL_GUARDED_BY(mutex);
  AttachWaits waits ABSL_GUARDED_BY(mutex);
  // No lease expires before.
  absl::Time expiry_pause_end ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
  uint64_t last_generation ABSL_GUARDED_BY(mutex) = 0;
  bool draining ABSL_GUARDED_BY(mutex) = false;
  // Every lease was revoked: nothing lingers, and nothing is retained.
  bool revoked ABSL_GUARDED_BY(mutex) = false;
  LeaseCounts counts ABSL_GUARDED_BY(mutex);
  LastRefusals last_refusals ABSL_GUARDED_BY(mutex);

 private:
  // A buffer in a channel is kept for so long for a member that was given it
  // and has yet to open it, after all others have released it.
  static constexpr absl::Duration kChannelLinger = absl::Seconds(10);

  void CountEnd(EndCause cause) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Keeps the buffer of a lease that has ended.
  void Linger(LeaseTable::Ended* ended, absl::Duration linger,
              std::shared_ptr<const Process> maker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // The uid whose quota a lease counts in.
  uid_t PayerOf(const LeaseTable::Lease& lease) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
};

// FAILED_PRECONDITION: the lease ended while a request on it was carried out.
absl::Status EndedMeanwhile(const LeaseId& id);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BOOK_LEASE_BOOK_H_
