// LeaseBook: the pool's state of leases, under one lock.
//
// Each operation plans under the lock, acts without it, and commits under it
// again. One hold of the lock covers a few leases, and no system call or
// callback, so its length does not depend on the table's size. While an
// operation acts, its buffer is pinned (LeaseTable) or reserved (Reservation).
// Follow-up work, such as waking attach requests, is returned and passed to
// Effects, which applies it after the lock is released.
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

  // How many leases one hold of the lock examines or ends: about a microsecond
  // each. Ending one lease may end all others on its buffer, at most
  // kMaxMemberLeases.
  static constexpr size_t kLeasesAtOnce = 64;

  // All must outlive this.
  LeaseBook(const SegmentDirectory* directory, const Clock* clock,
            RandomSource* random, UidQuota* quota, BufferEvents* events);

  // --- Grants ---
  // A lease with a random id, granted at the current time, on no buffer yet.
  LeaseTable::Lease NewLease(HolderId holder, const RequestId& request_id,
                             const ClientId& client_id, absl::Duration ttl,
                             Access access) const;
  LeaseGrant GrantOf(const LeaseTable::Lease& lease) const;
  // UNAVAILABLE: the holder's process is gone.
  absl::StatusOr<const Holder*> FindHolder(HolderId holder) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // First checks of a request: draining, holder, repetition. Returns the lease
  // that an earlier request with this id got, or null: the request is then in
  // progress.
  absl::StatusOr<const LeaseTable::Lease*> Begin(HolderId holder,
                                                 const RequestId& request_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Whether a journalled lease may be granted on a buffer with other leases, or
  // on a leftover. The book may have changed since the request began.
  absl::Status MayCommit(HolderId holder, const LeaseId& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Adds a buffer with a reserved name and its first lease. The caller calls
  // Effects::Wake afterwards, for the requests that wait for the buffer.
  const LeaseTable::Lease& AddBuffer(LeaseTable::Buffer buffer,
                                     LeaseTable::Lease lease)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Returns whether the journal needs a record: only if it does not have `ttl`.
  bool Renew(const LeaseTable::Lease& lease, absl::Duration ttl, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // --- Ends ---
  // The live lease of that id, or null.
  const LeaseTable::Lease* FindLive(const LeaseId& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // `for_all`: all members of a channel lose their leases, so the buffer does
  // not linger for them.
  LeaseTable::Ended End(const LeaseId& id, EndCause cause, bool for_all = false)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Ends the lease, and for a buffer in a channel the leases of all other
  // members. Only the members know which of them may use the buffer. So when a
  // member dies, the buffer is quarantined until it is proven free.
  void EndForAll(const LeaseId& id, EndCause cause,
                 std::vector<LeaseTable::Ended>* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Ends the live leases among `leases`, as many as fit into one hold of the
  // lock. That limit counts ended leases: ending one may end many others.
  // Returns how many of `leases` are done.
  size_t EndSome(absl::Span<const LeaseId> leases, EndCause cause,
                 std::vector<LeaseTable::Ended>* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Replaces a live lease by `lease`, on the same buffer.
  const LeaseTable::Lease& Exchange(const LeaseId& ended,
                                    LeaseTable::Lease lease)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Returns the buffer's segment if no lease and no pin is left; pass it to
  // Effects. Its bytes count for the uid until SegmentPool has it back.
  std::optional<Segment> Unpin(LeaseTable::Buffer* buffer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::Time NextExpiry() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Publishes every change of a buffer that clients can watch. Effects wake the
  // watches.
  void Publish(BufferEvents::Kind kind, const LeaseTable::Buffer& buffer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  const SegmentDirectory& directory;
  const Clock& clock;
  RandomSource& random;
  // These two have their own locks. Events are published under `mutex`; watches
  // are woken with no lock held.
  UidQuota& quota;
  BufferEvents& events;

  mutable Mutex mutex;
  LeaseTable table ABSL_GUARDED_BY(mutex);
  AttachWaits waits ABSL_GUARDED_BY(mutex);
  // No lease expires before this time.
  absl::Time expiry_pause_end ABSL_GUARDED_BY(mutex) = absl::InfinitePast();
  uint64_t last_generation ABSL_GUARDED_BY(mutex) = 0;
  bool draining ABSL_GUARDED_BY(mutex) = false;
  // All leases were revoked: no buffer lingers, and no segment is retained.
  bool revoked ABSL_GUARDED_BY(mutex) = false;
  LeaseCounts counts ABSL_GUARDED_BY(mutex);
  LastRefusals last_refusals ABSL_GUARDED_BY(mutex);

 private:
  // After the last release, how long a buffer in a channel is kept for a member
  // that was given it and has not opened it yet.
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
