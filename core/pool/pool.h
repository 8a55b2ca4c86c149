// Pool: leases on shared-memory buffers, for holders. In front of the
// SegmentPool, where BigCache retains for warm reuse; on cold eviction, hand
// off to Batch; only Batch may munmap.
//
// Thread-safe. Its lock covers the lease table only; it is held over no system
// call, not while a listener is called, nor for more than a few leases at a
// time: no hold is longer because the table is large. What a request is about
// is reserved or pinned in the table meanwhile.
#ifndef WARMPOOL_CORE_POOL_POOL_H_
#define WARMPOOL_CORE_POOL_POOL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/random_id.h"
#include "core/engine/segment_pool.h"
#include "core/engine/uid_quota.h"
#include "core/journal/journal.h"
#include "core/journal/journal_keeper.h"
#include "core/lease/lease.h"
#include "core/memory/directory/segment_directory.h"
#include "core/pool/attach_waits.h"
#include "core/pool/buffer_events.h"
#include "core/pool/buffer_listing.h"
#include "core/pool/last_refusals.h"
#include "core/pool/lease_table.h"

namespace warmpool {

class Pool {
 public:
  struct Options {
    SegmentPool::Options segments;
    // Of each uid.
    UidQuota::Options quota;
    // For requests that name none. Zero: as long as the holder lives.
    absl::Duration default_ttl = absl::Seconds(60);
    // Longer ones are cut to it.
    absl::Duration max_ttl = absl::Hours(24);
    // Called, under no lock, when a lease ended without its holder's release.
    std::function<void(const RevokedLease&)> on_revoked;
    // Called, under no lock, when a request for a lease was refused.
    std::function<void(const Refusal&)> on_refused;
    // Called under no lock; runs what it is given, soon and on another thread:
    // where many wait for a buffer, whoever makes or seals it does not wake
    // them all. Each call is for a few of them. The uid is the buffer's. If it
    // runs nothing they wait until their deadlines; it must run nothing once
    // the pool has ended. Null: the caller wakes all.
    std::function<void(uid_t, std::function<void()>)> run_later;
  };

  struct RecoveredLease {
    LeaseRecord record;
    // Added before; 0: its process is gone, or can't be told from others.
    HolderId holder = 0;
  };

  struct Recovery {
    size_t leases = 0;
    // Journalled leases that did not survive.
    size_t ended_leases = 0;
    // Segments that no lease needs.
    size_t leftovers = 0;
    // Names of strays that could not be set aside.
    std::vector<std::string> left_alone;
  };

  struct Stats {
    SegmentPool::Stats segments;
    size_t live_leases = 0;
    // Of these, the ones whose holder has not shown itself to this daemon.
    size_t recovering_leases = 0;
    // Of these, the ones that no process has.
    UnheldCount live_tickets;
    UnheldCount live_lingering;
    size_t live_buffers = 0;
    size_t holders = 0;
    // Requests to attach that wait for their buffer.
    size_t waiting = 0;
    uint64_t granted_attached = 0;
    uint64_t replayed = 0;
    // Taken up from an earlier daemon, by its journal or by their clients.
    uint64_t recovered = 0;
    uint64_t asserted = 0;
    uint64_t refused_invalid = 0;
    uint64_t refused_exhausted = 0;
    uint64_t refused_name_taken = 0;
    uint64_t refused_draining = 0;
    uint64_t refused_other = 0;
    // The last notable one of each uid, the newest first; at most
    // kMostRefusalsTold.
    std::vector<Refusal> last_refusals = {};
    // By EndCause.
    uint64_t released = 0;
    uint64_t expired = 0;
    uint64_t unclaimed = 0;
    uint64_t linger_ended = 0;
    uint64_t revoked = 0;
    uint64_t holder_died = 0;
    uint64_t unused = 0;
    // Those of who made a ticket, and tickets that were claimed.
    uint64_t handed_over = 0;
    uint64_t renewed = 0;
    // Buffers sealed, tickets made and claimed, sealed buffers kept for a while
    // without a holder.
    uint64_t sealed = 0;
    uint64_t tickets = 0;
    uint64_t claimed = 0;
    uint64_t lingered = 0;
    // Ends and renewals that could not be written to the journal.
    uint64_t failed_journal_writes = 0;
    // Grants, renewals and ends for which the journal made room by itself,
    // while everybody waited: Tick had not come in time, or could not.
    uint64_t journal_waits = 0;
    bool draining = false;
  };

  // What is pointed to must outlive this.
  // `journal`, which may be null, keeps every lease before it is granted. It
  // must have begun by the first of the calls below, but for AddHolder,
  // RemoveHolder and RemoveSomeOf.
  Pool(SegmentDirectory* directory, SystemCalls* calls, const Clock* clock,
       RandomSource* random, const Options& options,
       Journal* journal = nullptr);
  // Segments still leased stay in the directory.
  ~Pool();

  // A holder must be added before its first request.
  void AddHolder(Holder holder);
  // The holder's process is gone: ends its leases.
  void RemoveHolder(HolderId id);
  // The same for a few of them, so that many who have died take turns. False:
  // that was the last of it, and nothing is known under the id any more. What
  // requests that are under way are granted before that ends too.
  bool RemoveSomeOf(HolderId id);

  // Ends those leases of a holder whose segments nobody has open or mapped and
  // that the holder has not asked for, renewed or asserted since `since`. For a
  // holder without a connection from then on: it forgot them (it called exec,
  // or destroyed its client). Returns how many.
  size_t EndUnusedLeases(HolderId id, absl::Time since);
  // The same for a few of them. False: there was none left to look at.
  struct UnusedSearch {
    absl::Time since;
    // How far it has come.
    LeaseTable::LeasePlace at = {};
    size_t ended = 0;
  };
  bool EndSomeUnusedLeases(HolderId id, UnusedSearch* search);

  bool HasLeases(HolderId id) const;

  // Errors as the RPC of the same name has them (proto/warmpool/v1).
  absl::StatusOr<LeaseGrant> Lease(HolderId holder,
                                   const LeaseRequest& request);
  absl::StatusOr<LeaseGrant> Attach(HolderId holder,
                                    const AttachRequest& request);
  // The same, but nullopt where the buffer is not there, or not sealed, as yet:
  // `wait` is taken over, and woken when that may have changed, at its
  // deadline, and when the pool drains or the holder goes. Then the request is
  // to be made again. Null: it does not wait.
  std::optional<absl::StatusOr<LeaseGrant>> AttachOrWait(
      HolderId holder, const AttachRequest& request, AttachWait* wait);
  // False: it is being woken, or was.
  bool CancelWait(WaitId id);

  // After this no process can write to the buffer: others attach to it for
  // reading. Its holder must have neither mapping nor descriptor for writing
  // left. OK if it is sealed already. FAILED_PRECONDITION, saying so: it is to
  // be shared with other uids, and this pool serves one.
  absl::Status Seal(HolderId holder, const LeaseRef& lease,
                    const SealRequest& request);

  // Ends the lease, and keeps its buffer for whoever claims it with `ticket`,
  // 16 random bytes that the caller made, within the time to live, which is
  // returned. nullopt: kDefaultTicketTtl. OK if it has been made already.
  // `bytes` as in SealRequest.
  static constexpr absl::Duration kDefaultTicketTtl = absl::Seconds(30);
  absl::StatusOr<absl::Duration> MakeTicket(HolderId holder,
                                            const LeaseRef& lease,
                                            const LeaseId& ticket,
                                            RequestedTtl ttl,
                                            uint64_t bytes = 0);
  // The lease that a ticket stands for, after the proof that nobody else has
  // the buffer.
  absl::StatusOr<LeaseGrant> Claim(HolderId holder,
                                   const ClaimRequest& request);

  // Counts a request for a lease that was refused before it got here, and keeps
  // why. `bytes` as in Refusal.
  void RecordRefused(HolderId holder, uint64_t bytes,
                     const absl::Status& status);
  // Of the uid's processes, the last one that is notable.
  std::optional<Refusal> LastRefusalOf(uid_t uid) const;
  static constexpr size_t kMostRefusalsTold = 16;

  // See SegmentPool.
  uint64_t returns() const { return segments_.returns(); }
  uint64_t AwaitReturn(uint64_t seen, absl::Time until) {
    return segments_.AwaitReturn(seen, until);
  }
  void WakeAwaitReturn() { segments_.WakeAwaitReturn(); }

  // One status for each lease, in order. `revoke`: other holders' leases too.
  // PERMISSION_DENIED in each: revoking without being an admin.
  std::vector<absl::Status> Release(HolderId holder,
                                    absl::Span<const LeaseRef> leases,
                                    bool revoke);
  // The time to live granted; zero: as long as the holder lives. `bytes` as in
  // SealRequest; ignored once others were told of the buffer's size, by a lease
  // on it of their own.
  absl::StatusOr<absl::Duration> Renew(HolderId holder, const LeaseRef& lease,
                                       RequestedTtl ttl, uint64_t bytes = 0);
  // Takes up a lease that `holder` has from an earlier daemon, and gives it a
  // full time to live, which is returned. One that is live already is renewed.
  // NOT_FOUND: its segment is gone. PERMISSION_DENIED: the lease or the segment
  // is another's. FAILED_PRECONDITION: it has ended, or its segment or name has
  // other holders by now.
  absl::StatusOr<absl::Duration> Assert(HolderId holder,
                                        const AssertedLease& lease);
  // Buffers that `holder` may see, by uid and name; see ListBuffers.
  // INVALID_ARGUMENT: the token.
  absl::StatusOr<BufferPage> List(HolderId holder, const BufferFilter& filter,
                                  size_t page_size,
                                  const std::string& page_token) const;

  // UNAVAILABLE: the holder's process is gone.
  absl::StatusOr<Holder> FindHolder(HolderId holder) const;
  // What each process that has a lease has, in no order.
  std::vector<HolderUsage> HolderUsages() const;
  // Tickets, and buffers that linger, with who made them: those of the largest
  // segments first, `most` of them; of one uid, if one is named.
  std::vector<UnheldLease> UnheldLeases(std::optional<uid_t> uid,
                                        size_t most) const;

  // Every buffer of every uid; buffers with `most_leases`, or a few more, are
  // enough.
  std::vector<BufferListing> ListAll(size_t most_leases = SIZE_MAX) const;

  // Tells from here on what becomes of the buffers that `holder` may see; see
  // BufferEvents. Must not outlive this. UNAVAILABLE: the holder's process is
  // gone. INVALID_ARGUMENT: the prefix is longer than any name.
  absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> Watch(
      HolderId holder, const std::string& name_prefix,
      std::function<void()> wake);

  // PERMISSION_DENIED unless `holder` is an admin; the message says that only
  // admins may `deed`.
  absl::Status RequireAdmin(HolderId holder, absl::string_view deed) const;

  // Does what is due: expiry, the deadlines of a few who wait, upkeep of the
  // journal, and SegmentPool::Tick. Returns when to come back.
  // Leases expire whose time to live ran out by `as_of`, or by now if that is
  // earlier: a caller that may have been stopped since names the time at which
  // it looked for that.
  absl::Time Tick(absl::Time as_of = absl::InfiniteFuture());
  // No lease expires before `until`, whatever its time to live; a time in the
  // past has no effect. For time in which neither this process nor, it may be,
  // the holders ran. See server/pause_detector.h.
  void PostponeExpiry(absl::Time until);

  // Takes over what an earlier daemon left, before the first request. A lease
  // whose holder lives and whose segment is there goes on with a full time to
  // live; every other has ended. Segments under no lease are ended once nobody
  // has them, and so are strays, which are set aside first.
  // Nothing of it can fail; a daemon that dies within it leaves the rest to the
  // next. Until then the pool has nothing that its destructor could end.
  // REQUIRES: the journal has begun.
  Recovery Recover(const std::vector<RecoveredLease>& leases,
                   uint64_t last_generation, std::vector<Segment> leftovers);

  // See SegmentPool.
  bool MakeStock(SegmentPool::StepRunner run_step) {
    return segments_.MakeStock(run_step);
  }
  uint64_t ReleaseUnused(EvictionReason reason, absl::Duration stock_pause) {
    return segments_.ReleaseUnused(reason, stock_pause);
  }
  // Bytes that ReleaseUnused would end.
  uint64_t kept_bytes() const { return segments_.kept_bytes(); }

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

 private:
  void CountRefusedLocked(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<absl::Duration> GrantedTtl(RequestedTtl requested) const;
  // What is asked for if nothing is: in a channel, as long as the holder lives.
  static RequestedTtl RequestedFor(absl::string_view buffer_name,
                                   RequestedTtl requested);
  // The name that the buffer is to have.
  absl::StatusOr<std::string> NameFor(const LeaseRequest& request) const;
  // The checks that come before anything else: draining, holder, repetition.
  absl::StatusOr<const LeaseTable::Lease*> BeginLocked(
      HolderId holder, const RequestId& request_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<LeaseGrant> LeaseUncounted(HolderId holder,
                                            const LeaseRequest& request);
  // Reserves the buffer's name, and a lease and its bytes in its uid's quota.
  // `size_status`: of the size asked for.
  absl::Status ReserveLocked(const LeaseTable::Buffer& buffer,
                             const absl::Status& size_status,
                             uint64_t segment_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps the lease on a buffer whose name is reserved, and grants it.
  absl::StatusOr<LeaseGrant> CommitLease(const Holder& holder,
                                         LeaseTable::Lease lease,
                                         LeaseTable::Buffer buffer);
  std::optional<absl::StatusOr<LeaseGrant>> AttachUncounted(
      HolderId holder, const AttachRequest& request, AttachWait* wait);
  // NOT_FOUND, DEADLINE_EXCEEDED: not as yet.
  absl::StatusOr<LeaseTable::Buffer*> FindForLocked(
      const Holder& caller, const AttachRequest& request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MayAttachLocked(const LeaseTable::Buffer* buffer,
                               const AttachRequest& request) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whose limit a lease counts for.
  uid_t PayerLocked(const LeaseTable::Lease& lease) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits that are taken out in one hold of the lock, about a microsecond each,
  // and woken by one call: each is a request that is made again.
  static constexpr size_t kWaitsAtOnce = 64;
  // Those that whoever made a buffer or sealed it wakes himself: for a few,
  // whose answers are on their way before his, another thread would take
  // longer.
  static constexpr size_t kWakesByCaller = 16;
  // Those who waited for a buffer.
  struct Woken {
    AttachWaits::Wakes first;
    // nullopt: those are all.
    std::optional<AttachWaits::Crowd> rest;
  };
  Woken TakeFirstLocked(AttachWaits::Target target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // These are called under no lock.
  static void Wake(const AttachWaits::Wakes& wakes);
  // Has all but the first woken by run_later.
  void Wake(Woken woken);
  void WakeLater(AttachWaits::Crowd crowd);
  // False: there are no more.
  bool WakeSome(const AttachWaits::Crowd& crowd);
  // A buffer that nobody but `holder` has a lease on, pinned, on its way from
  // `lease`.
  struct HandOver {
    LeaseTable::Buffer* buffer = nullptr;
    LeaseTable::Lease lease;
    Holder holder;
    // What the buffer's size is to be, once that is committed.
    uint64_t bytes = 0;
  };
  // `bytes` as in SealRequest.
  absl::StatusOr<HandOver> BeginHandOverLocked(HolderId holder,
                                               const LeaseRef& ref,
                                               uint64_t bytes,
                                               absl::string_view deed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The record of `lease` on the buffer that is handed over.
  static LeaseRecord RecordOf(const LeaseTable::Lease& lease,
                              const HandOver& begun, const Holder& holder);
  // Changes the size of a buffer that nobody else knows.
  absl::Status Resize(HolderId holder, const LeaseRef& ref, uint64_t bytes);
  // The lease, if it lives still. The buffer stays pinned.
  const LeaseTable::Lease* EndHandOverLocked(const HandOver& begun)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `lease` goes in the place of one that lives.
  const LeaseTable::Lease& ExchangeLocked(const LeaseId& ended,
                                          LeaseTable::Lease lease)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UnpinAndReturn(LeaseTable::Buffer* buffer);
  // In the journal.
  absl::Status Replace(const LeaseId& replaced, LeaseRecord record);
  static absl::Status EndedMeanwhile(const LeaseId& id);
  absl::StatusOr<LeaseGrant> ClaimUncounted(HolderId holder,
                                            const ClaimRequest& request);
  absl::StatusOr<HandOver> BeginClaimLocked(const Holder& caller,
                                            const LeaseId& ticket)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives the file of a buffer that is on its way to its claimer another name,
  // if somebody may still open it by the one that it has.
  absl::Status RenameForClaim(LeaseTable::Buffer* buffer);
  absl::Status ProveForClaim(LeaseTable::Buffer* buffer);
  // The journal has the one replaced by the other, which was not granted:
  // neither is to live on.
  void EndReplaced(const LeaseId& replaced, const LeaseId& by);
  // A buffer in a channel is kept so long for a member that has been given it,
  // and has not opened it yet, after all others have let go of it in order.
  static constexpr absl::Duration kChannelLinger = absl::Seconds(10);
  // The holder of leases that nobody has.
  static constexpr HolderId kPoolHolder = UINT64_MAX;
  static const Holder& PoolHolder();
  // Adds some of UnheldLeases behind `after`, which becomes the last of them.
  // False: there are no more.
  bool AddUnheldLocked(std::optional<uid_t> uid, LeaseTable::LeasePlace* after,
                       std::vector<UnheldLease>* unheld) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps the buffer of a lease that has ended.
  void LingerLocked(LeaseTable::Ended* ended, absl::Duration linger,
                    std::shared_ptr<const Process> maker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Keeps a lease on a buffer that was pinned for it, and grants it.
  absl::StatusOr<LeaseGrant> CommitOnLive(const Holder& holder,
                                          LeaseTable::Lease lease,
                                          LeaseTable::Buffer* buffer,
                                          uint64_t Stats::*count);
  // Whether a lease that was kept may be granted on a buffer of others, or on a
  // leftover: much can have happened since it was begun.
  absl::Status MayCommitLocked(HolderId holder, const LeaseId& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives up a lease on a buffer of its own, but not the bytes counted for it.
  void AbandonLocked(HolderId holder, const RequestId& request_id,
                     const LeaseTable::Buffer& buffer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What the journal keeps. Of the buffer it reads what does not change while
  // it is pinned.
  static LeaseRecord RecordOf(const LeaseTable::Lease& lease,
                              const LeaseTable::Buffer& buffer,
                              const Holder& holder);
  // Accounts for a journal that has grown, and has Tick called if need be.
  void AccountJournal();
  // Whether the journal needs a record: not if `ttl` is what it knows.
  bool RenewLocked(const LeaseTable::Lease& lease, absl::Duration ttl,
                   absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes `lease` live again, and its buffer if this is its first lease. False:
  // it has ended.
  bool RecoverLeaseLocked(const RecoveredLease& lease,
                          absl::flat_hash_map<std::string, Segment>* segments)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of the lease that keeps the buffer of one whose holder is gone.
  LeaseRecord LingeringAfter(const LeaseRecord& ended) const;
  // What an asserted lease is on. Its request id is under way but for kLease.
  struct AssertionPlan {
    enum class On {
      // It is live itself, and was renewed.
      kLease,
      // A live buffer, pinned for it.
      kBuffer,
      // A segment that is to be found; the name is reserved.
      kLeftover,
    };
    On on = On::kLease;
    LeaseTable::Buffer* buffer = nullptr;
    Holder holder;
    bool renewal_is_news = false;
  };
  absl::StatusOr<AssertionPlan> PlanAssertionLocked(
      HolderId holder, const AssertedLease& asserted, absl::Duration ttl)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes up an asserted lease on a segment that nobody else has taken up.
  absl::Status AssertOnLeftover(const Holder& holder,
                                const AssertedLease& asserted,
                                absl::Duration ttl);
  // Moves `*buffer` into the table, or leaves it as it is.
  absl::Status CommitAsserted(const Holder& holder, LeaseTable::Lease lease,
                              LeaseTable::Buffer* buffer);
  LeaseTable::Lease AssertedToLease(HolderId holder,
                                    const AssertedLease& asserted,
                                    absl::Duration ttl) const;
  LeaseTable::Lease NewLease(HolderId holder, const RequestId& request_id,
                             const ClientId& client_id, absl::Duration ttl,
                             Access access) const;
  LeaseGrant GrantOf(const LeaseTable::Lease& lease) const;
  // `for_all`: see EndForAllLocked.
  LeaseTable::Ended EndLocked(const LeaseId& id, EndCause cause,
                              bool for_all = false)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The same, and for a buffer in a channel the leases of all other members:
  // whose turn it is to use the buffer is not known here, so when one of them
  // goes without a word it is set aside, until it is proven free.
  void EndForAllLocked(const LeaseId& id, EndCause cause,
                       std::vector<LeaseTable::Ended>* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The live one of that id, or null.
  const LeaseTable::Lease* FindLiveLocked(const LeaseId& id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // All changes of buffers that are to be watched go through here.
  // events_.Wake() follows, under no lock.
  void PublishLocked(BufferEvents::Kind kind, const LeaseTable::Buffer& buffer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const LeaseTable::Lease& AddBufferLocked(LeaseTable::Buffer buffer,
                                           LeaseTable::Lease lease,
                                           Woken* woken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The buffer's segment, if it goes. Its bytes are its uid's until SegmentPool
  // has it back.
  std::optional<Segment> UnpinLocked(LeaseTable::Buffer* buffer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends those of the leases that live still, as many as one hold of the lock
  // is for: that counts ends, of which one lease may bring many. Returns how
  // many leases it is done with.
  size_t EndSomeLocked(absl::Span<const LeaseId> leases, EndCause cause,
                       std::vector<LeaseTable::Ended>* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The same for all of them, in as many holds. Returns how many lived.
  size_t EndEach(absl::Span<const LeaseId> leases, EndCause cause);
  absl::Status ReleaseLocked(HolderId holder, const LeaseRef& ref, bool revoke,
                             std::vector<LeaseTable::Ended>* ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Does EndUnusedLeases for these few.
  size_t EndUnused(absl::Span<const LeaseId> leases, absl::Time since);
  void EndExpired(absl::Time as_of);
  absl::Time NextExpiryLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RecordEnd(const LeaseTable::Ended& ended);
  // Records ends in the journal, tells the listener and gives segments back.
  void Finish(std::vector<LeaseTable::Ended> ended);

  const Options options_;
  SegmentDirectory& directory_;
  SystemCalls& calls_;
  const Clock& clock_;
  RandomSource& random_;

  // Synchronised by itself, under whatever lock. SegmentPool counts there too.
  UidQuota quota_;
  // Synchronised by themselves. Calls into them are made under no lock of ours.
  JournalKeeper journal_;
  SegmentPool segments_;

  // Synchronised by itself. Published to under mutex_, woken under no lock.
  BufferEvents events_;

  mutable Mutex mutex_;
  LeaseTable table_ ABSL_GUARDED_BY(mutex_);
  AttachWaits waits_ ABSL_GUARDED_BY(mutex_);
  // No lease expires before.
  absl::Time expiry_pause_end_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  uint64_t last_generation_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  // RevokeAll was called.
  bool revoked_ ABSL_GUARDED_BY(mutex_) = false;
  // The counters of it, and the last refusal but for its age.
  Stats counts_ ABSL_GUARDED_BY(mutex_);
  LastRefusals last_refusals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_POOL_H_
