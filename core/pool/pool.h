// Pool: leases on shared-memory buffers, for holders. In front of the
// SegmentPool, where BigCache retains for warm reuse; on cold eviction, hand
// off to Batch; only Batch may munmap.
//
// Each group of operations is a class of its own: Grants, Attachments,
// Handover, Assertions, Endings, Recovery and Listings. They share the
// LeaseBook, whose lock is held for a few leases at a time and never over
// a system call or a callback.
//
// Thread-safe.
#ifndef WARMPOOL_CORE_POOL_POOL_H_
#define WARMPOOL_CORE_POOL_POOL_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/base/random_id.h"
#include "core/book/attach_waits.h"
#include "core/book/buffer_events.h"
#include "core/book/buffer_listing.h"
#include "core/engine/segment_pool.h"
#include "core/journal/journal.h"
#include "core/lease/lease.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"
#include "core/memory/segment.h"
#include "core/pool/pool_types.h"
#include "core/pool/reservation.h"

namespace warmpool {

class Pool {
 public:
  using Options = PoolOptions;
  using Stats = PoolStats;
  static constexpr size_t kMostRefusalsTold = 16;

  // All must outlive this. `journal`, which may be null, records every lease
  // before it is granted. It must have begun by the first of the calls below,
  // but for AddHolder, RemoveHolder and RemoveSomeOf.
  Pool(SegmentDirectory* directory, SystemCalls* calls, const Clock* clock,
       RandomSource* random, const Options& options,
       Journal* journal = nullptr);
  // Segments still leased stay in the directory.
  ~Pool();

  // --- Holders ---
  // Before the holder's first request.
  void AddHolder(Holder holder);
  // UNAVAILABLE: the holder's process is gone.
  absl::StatusOr<Holder> FindHolder(HolderId holder) const;
  bool HasLeases(HolderId id) const;
  // The holder's process is gone: ends its leases.
  void RemoveHolder(HolderId id);
  // The same for a few of them, so that many who have died take turns. False:
  // those were the last, and the id is not known any more. Leases that requests
  // under way are granted meanwhile end, too.
  bool RemoveSomeOf(HolderId id);
  // Ends those leases of a holder whose segments no process has open or mapped
  // and that the holder has not asked for, renewed or asserted since `since`.
  // For a holder without a connection from then on: it forgot them (it called
  // exec, or destroyed its client). Returns how many.
  size_t EndUnusedLeases(HolderId id, absl::Time since);
  // The same for a few of them. False: there was none left to look at.
  bool EndSomeUnusedLeases(HolderId id, UnusedSearch* search);

  // --- Leases. Errors as the RPC of the same name has them. ---
  // `kept`: where the lease needs memory that is not ready (NOT_FOUND with
  // if_ready, RESOURCE_EXHAUSTED unless is_last_try), receives what the request
  // has reserved; the next call for the same request goes on from there. While
  // it is kept, a repetition of the request is refused as being under way.
  // Null: each call reserves anew.
  absl::StatusOr<LeaseGrant> Lease(HolderId holder, const LeaseRequest& request,
                                   Reservation* kept = nullptr);
  absl::StatusOr<LeaseGrant> Attach(HolderId holder,
                                    const AttachRequest& request);
  // nullopt: the buffer is not there, or not sealed, as yet. `wait` is taken
  // over, and woken when that may have changed, at its deadline, and when the
  // pool drains or the holder goes. Then the caller makes the request again.
  // Null: the request does not wait.
  std::optional<absl::StatusOr<LeaseGrant>> AttachOrWait(
      HolderId holder, const AttachRequest& request, AttachWait* wait);
  // False: it is being woken, or was.
  bool CancelWait(WaitId id);
  // One status for each lease, in order. `revoke`: other holders' leases too;
  // the caller has checked that `holder` may do that.
  std::vector<absl::Status> Release(HolderId holder,
                                    absl::Span<const LeaseRef> leases,
                                    bool revoke);
  // The time to live granted; zero: as long as the holder lives. `bytes` as in
  // SealRequest; ignored once other holders know the buffer's size, by a lease
  // of their own.
  absl::StatusOr<absl::Duration> Renew(HolderId holder, const LeaseRef& lease,
                                       RequestedTtl ttl, uint64_t bytes = 0);
  // Takes up a lease that `holder` has from an earlier daemon, and gives it a
  // full time to live, which is returned. One that is live already is renewed.
  // NOT_FOUND: its segment is gone. PERMISSION_DENIED: the lease or the segment
  // is another's. FAILED_PRECONDITION: it has ended, or its segment or name has
  // other holders by now.
  absl::StatusOr<absl::Duration> Assert(HolderId holder,
                                        const AssertedLease& lease);

  // --- Handing over ---
  // After this no process can write to the buffer: others attach to it for
  // reading. Its holder must have neither mapping nor descriptor for writing
  // left. OK if it is sealed already. FAILED_PRECONDITION, saying so: it is to
  // be shared with other uids, and this pool serves one.
  absl::Status Seal(HolderId holder, const LeaseRef& lease,
                    const SealRequest& request);
  // Ends the lease, and keeps its buffer for the process that claims it with
  // `ticket`, 16 random bytes that the caller made, within the time to live,
  // which is returned. nullopt: kDefaultTicketTtl. OK if the ticket was made
  // already. `bytes` as in SealRequest.
  absl::StatusOr<absl::Duration> MakeTicket(HolderId holder,
                                            const LeaseRef& lease,
                                            const LeaseId& ticket,
                                            RequestedTtl ttl,
                                            uint64_t bytes = 0);
  // The lease that a ticket stands for, after the proof that no other process
  // has the buffer.
  absl::StatusOr<LeaseGrant> Claim(HolderId holder,
                                   const ClaimRequest& request);

  // --- Who has what ---
  // Buffers that `holder` may see, by uid and name; see ListBuffers.
  // INVALID_ARGUMENT: the token.
  absl::StatusOr<BufferPage> List(HolderId holder, const BufferFilter& filter,
                                  size_t page_size,
                                  const std::string& page_token) const;
  // Every buffer of every uid; buffers with `most_leases`, or a few more, are
  // enough.
  std::vector<BufferListing> ListAll(size_t most_leases = SIZE_MAX) const;
  // What each process that has a lease has, in no order.
  std::vector<HolderUsage> HolderUsages() const;
  // Tickets, and buffers that linger, with who made them: those of the largest
  // segments first, `most` of them; of one uid, if one is named.
  std::vector<UnheldLease> UnheldLeases(std::optional<uid_t> uid,
                                        size_t most) const;
  // From here on the watch receives the events of buffers that `holder` may
  // see; see BufferEvents. Must not outlive this. UNAVAILABLE: the holder's
  // process is gone. INVALID_ARGUMENT: the prefix is longer than any name.
  absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> Watch(
      HolderId holder, const std::string& name_prefix,
      std::function<void()> wake);

  // --- Refusals ---
  // Counts a request for a lease that was refused before it got here, and keeps
  // why. `bytes` as in Refusal.
  void RecordRefused(HolderId holder, uint64_t bytes,
                     const absl::Status& status);
  // The last notable one of the uid's processes.
  std::optional<Refusal> LastRefusalOf(uid_t uid) const;

  // --- Running ---
  // Takes over what an earlier daemon left, before the first request. A lease
  // whose holder lives and whose segment is there goes on with a full time to
  // live; every other has ended. Segments under no lease are freed once no
  // process has them, and so are strays, which are set aside first.
  // Nothing of it can fail; a daemon that dies within it leaves the rest to the
  // next. REQUIRES: the journal has begun.
  Recovered Recover(const std::vector<RecoveredLease>& leases,
                    uint64_t last_generation, std::vector<Segment> leftovers);
  // Does what is due: expiry, the deadlines of a few requests that wait, upkeep
  // of the journal, and SegmentPool::Tick. Returns when to come back.
  // Leases expire whose time to live ran out by `as_of`, or by now if that is
  // earlier: a caller that may have been stopped since names the time at which
  // it looked for that.
  absl::Time Tick(absl::Time as_of = absl::InfiniteFuture());
  // No lease expires before `until`, whatever its time to live; a time in the
  // past has no effect. For time in which neither this process nor, it may be,
  // the holders ran. See server/pause_detector.h.
  void PostponeExpiry(absl::Time until);
  // No further lease is granted; stock, what is retained and batched ends.
  void Drain();
  // Ends every lease and every segment, mapped or not; returns how many leases
  // there were.
  size_t RevokeAll();
  // Ends the journal's files: a daemon that leaves no lease behind leaves no
  // journal. Nothing may be called afterwards.
  // REQUIRES: there is a journal, and no live lease.
  void EndJournal();

  Stats stats() const;
  void CheckInvariants() const;

  // --- See SegmentPool. ---
  uint64_t returns() const;
  uint64_t AwaitReturn(uint64_t seen, absl::Time until);
  void WakeAwaitReturn();
  bool MakeStock(SegmentPool::StepRunner run_step);
  uint64_t ReleaseUnused(EvictionReason reason, absl::Duration stock_pause);
  uint64_t kept_bytes() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_POOL_H_
