// Pool: leases on shared-memory buffers, for holders. It uses the SegmentPool,
// where BigCache retains for warm reuse; on cold eviction, hand off to Batch;
// only Batch may munmap.
//
// Each group of operations is a class: Grants, Attachments, Handover,
// Assertions, Endings, Recovery and Listings. They share the LeaseBook. One
// hold of its lock covers a few leases, and no system call or callback.
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
  // before it is granted. Before it has begun, only AddHolder, RemoveHolder and
  // RemoveSomeOf may be called.
  Pool(SegmentDirectory* directory, SystemCalls* calls, const Clock* clock,
       RandomSource* random, const Options& options,
       Journal* journal = nullptr);
  // Leased segments stay in the directory.
  ~Pool();

  // --- Holders ---
  // Call before the holder's first request.
  void AddHolder(Holder holder);
  // UNAVAILABLE: the holder's process is gone.
  absl::StatusOr<Holder> FindHolder(HolderId holder) const;
  bool HasLeases(HolderId id) const;
  // Ends the leases of a holder whose process is gone.
  void RemoveHolder(HolderId id);
  // The same for a few leases, so that many dead holders take turns. False:
  // these were the last, and the id is unknown from then on. Leases that
  // running requests are granted meanwhile also end.
  bool RemoveSomeOf(HolderId id);
  // Ends a holder's leases if no process has their segments open or mapped, and
  // the holder has not requested, renewed or asserted them since `since`. For a
  // holder that has had no connection since then: it lost track of its leases
  // when it called exec or destroyed its client. Returns how many ended.
  size_t EndUnusedLeases(HolderId id, absl::Time since);
  // The same for a few leases. False: no lease was left to examine.
  bool EndSomeUnusedLeases(HolderId id, UnusedSearch* search);

  // --- Leases. Errors as the RPC of the same name has them. ---
  // `kept`: if the lease needs memory that is not ready (NOT_FOUND with
  // if_ready, RESOURCE_EXHAUSTED unless is_last_try), receives the request's
  // reservation; the next call for the same request continues from it. While it
  // is kept, a repetition of the request is refused as in progress. Null: each
  // call reserves anew.
  absl::StatusOr<LeaseGrant> Lease(HolderId holder, const LeaseRequest& request,
                                   Reservation* kept = nullptr);
  absl::StatusOr<LeaseGrant> Attach(HolderId holder,
                                    const AttachRequest& request);
  // nullopt: the buffer does not exist or is not sealed yet. The pool takes
  // ownership of `wait`, and wakes it when that may have changed, at its
  // deadline, when the pool drains and when the holder goes. The caller then
  // repeats the request. With a null `wait` the request does not wait.
  std::optional<absl::StatusOr<LeaseGrant>> AttachOrWait(
      HolderId holder, const AttachRequest& request, AttachWait* wait);
  // False: the wait is being woken, or was woken.
  bool CancelWait(WaitId id);
  // One status for each lease, in order. `revoke`: also other holders' leases;
  // the caller has checked that `holder` may revoke them.
  std::vector<absl::Status> Release(HolderId holder,
                                    absl::Span<const LeaseRef> leases,
                                    bool revoke);
  // Returns the granted time to live; zero: as long as the holder lives.
  // `bytes` as in SealRequest; ignored once other holders have leases on the
  // buffer and so know its size.
  absl::StatusOr<absl::Duration> Renew(HolderId holder, const LeaseRef& lease,
                                       RequestedTtl ttl, uint64_t bytes = 0);
  // Restores a lease that `holder` has from an earlier daemon, and returns its
  // full time to live, which starts anew. A live lease is renewed. NOT_FOUND:
  // the segment is gone. PERMISSION_DENIED: the lease or the segment belongs to
  // another holder. FAILED_PRECONDITION: the lease has ended, or its segment or
  // name has other holders.
  absl::StatusOr<absl::Duration> Assert(HolderId holder,
                                        const AssertedLease& lease);

  // --- Handing over ---
  // Makes the buffer read-only for all processes; others attach to it for
  // reading. The holder must have closed all writable descriptors and unmapped
  // all writable mappings. OK if the buffer is sealed already.
  // FAILED_PRECONDITION, with that message: the request shares it with other
  // uids, but this pool serves only one.
  absl::Status Seal(HolderId holder, const LeaseRef& lease,
                    const SealRequest& request);
  // Ends the lease, and keeps its buffer for the process that claims it with
  // `ticket` (16 random bytes made by the caller) within the returned time to
  // live. A `ttl` of nullopt means kDefaultTicketTtl. OK if the ticket exists
  // already. `bytes` as in SealRequest.
  absl::StatusOr<absl::Duration> MakeTicket(HolderId holder,
                                            const LeaseRef& lease,
                                            const LeaseId& ticket,
                                            RequestedTtl ttl,
                                            uint64_t bytes = 0);
  // Grants the lease that a ticket stands for, after the proof that no other
  // process has the buffer.
  absl::StatusOr<LeaseGrant> Claim(HolderId holder,
                                   const ClaimRequest& request);

  // --- Who has what ---
  // Buffers that `holder` may see, by uid and name; see ListBuffers.
  // INVALID_ARGUMENT: the token.
  absl::StatusOr<BufferPage> List(HolderId holder, const BufferFilter& filter,
                                  size_t page_size,
                                  const std::string& page_token) const;
  // Buffers of all uids; stops once they have `most_leases` leases or a few
  // more.
  std::vector<BufferListing> ListAll(size_t most_leases = SIZE_MAX) const;
  // The usage of each process that has a lease, unordered.
  std::vector<HolderUsage> HolderUsages() const;
  // Tickets and lingering buffers, with the processes that made them; only
  // those of `uid` if given. The `most` largest segments, largest first.
  std::vector<UnheldLease> UnheldLeases(std::optional<uid_t> uid,
                                        size_t most) const;
  // Starts a watch, which receives the events of buffers that `holder` may see;
  // see BufferEvents. The watch must not outlive this. UNAVAILABLE: the
  // holder's process is gone. INVALID_ARGUMENT: the prefix is longer than any
  // name.
  absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> Watch(
      HolderId holder, const std::string& name_prefix,
      std::function<void()> wake);

  // --- Refusals ---
  // Counts a lease request that was refused before it reached the pool, and
  // remembers the reason. `bytes` as in Refusal.
  void RecordRefused(HolderId holder, uint64_t bytes,
                     const absl::Status& status);
  // The last notable refusal of the uid.
  std::optional<Refusal> LastRefusalOf(uid_t uid) const;

  // --- Running ---
  // Restores what an earlier daemon left, before the first request. A lease
  // whose holder lives and whose segment exists continues with a full time to
  // live; all others have ended. Segments without a lease are freed once no
  // process has them. Strays are first set aside, then freed in the same way.
  // Recover can't fail. If the daemon dies during it, the next daemon handles
  // the rest. REQUIRES: the journal has begun.
  Recovered Recover(const std::vector<RecoveredLease>& leases,
                    uint64_t last_generation, std::vector<Segment> leftovers);
  // Does all work that is due: expiry, the deadlines of a few waiting requests,
  // upkeep of the journal, and SegmentPool::Tick. Returns when to call it
  // again. Leases expire if their time to live ran out by `as_of` or by the
  // current time, whichever is earlier. A caller that may have been stopped
  // passes the time at which it last checked for that.
  absl::Time Tick(absl::Time as_of = absl::InfiniteFuture());
  // No lease expires before `until`, whatever its time to live; a past time has
  // no effect. For periods in which this process, and possibly the holders, did
  // not run. See server/pause_detector.h.
  void PostponeExpiry(absl::Time until);
  // Grants no more leases; frees stock, retained and batched segments.
  void Drain();
  // Ends all leases and frees all segments, even mapped ones. Returns how many
  // leases ended.
  size_t RevokeAll();
  // Removes the journal's files: a daemon that leaves no lease leaves no
  // journal. Call no other function afterwards. REQUIRES: there is a journal,
  // and no live lease.
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
