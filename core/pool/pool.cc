#include "core/pool/pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/mutex.h"
#include "core/base/status_macros.h"
#include "core/lease/lease_record.h"
#include "core/pool/assertions.h"
#include "core/pool/attachments.h"
#include "core/pool/endings.h"
#include "core/pool/grants.h"
#include "core/pool/handover.h"
#include "core/pool/listings.h"
#include "core/pool/pool_parts.h"
#include "core/pool/recovery.h"

namespace warmpool {

struct Pool::State {
  State(SegmentDirectory* directory, SystemCalls* calls, const Clock* clock,
        RandomSource* random, const Options& options, Journal* journal)
      : parts(directory, calls, clock, random, options, journal) {}

  PoolParts parts;
  Grants grants{&parts};
  Attachments attachments{&parts};
  Assertions assertions{&parts, &attachments};
  Endings endings{&parts};
  Handover handover{&parts, &endings};
  Listings listings{&parts.book};
};

Pool::Pool(SegmentDirectory* directory, SystemCalls* calls, const Clock* clock,
           RandomSource* random, const Options& options, Journal* journal)
    : state_(std::make_unique<State>(directory, calls, clock, random, options,
                                     journal)) {}

Pool::~Pool() {
  PoolParts& parts = state_->parts;
  std::vector<Segment> leased;
  {
    LeaseBook& book = state_->parts.book;
    MutexLock lock(&book.mutex);
    for (const LeaseId& id : book.table.Leases()) {
      std::optional<Segment> segment =
          book.table.Unpin(book.table.End(id, EndCause::kRevoked).buffer);
      if (segment.has_value()) leased.push_back(*std::move(segment));
    }
  }
  for (Segment& segment : leased) parts.segments.Detach(std::move(segment));
}

void Pool::AddHolder(Holder holder) {
  LeaseBook& book = state_->parts.book;
  MutexLock lock(&book.mutex);
  book.table.AddHolder(std::move(holder));
}

absl::StatusOr<Holder> Pool::FindHolder(HolderId holder) const {
  LeaseBook& book = state_->parts.book;
  MutexLock lock(&book.mutex);
  ASSIGN_OR_RETURN(const Holder* const found, book.FindHolder(holder));
  return *found;
}

bool Pool::HasLeases(HolderId id) const {
  LeaseBook& book = state_->parts.book;
  MutexLock lock(&book.mutex);
  return book.table.holders().HasLeases(id);
}

void Pool::RemoveHolder(HolderId id) {
  while (RemoveSomeOf(id)) Yield();
}

bool Pool::RemoveSomeOf(HolderId id) {
  return state_->endings.RemoveSomeOf(id);
}

size_t Pool::EndUnusedLeases(HolderId id, absl::Time since) {
  UnusedSearch search{.since = since};
  while (EndSomeUnusedLeases(id, &search)) Yield();
  return search.ended;
}

bool Pool::EndSomeUnusedLeases(HolderId id, UnusedSearch* search) {
  return state_->endings.EndSomeUnusedLeases(id, search);
}

absl::StatusOr<LeaseGrant> Pool::Lease(HolderId holder,
                                       const LeaseRequest& request,
                                       Reservation* kept) {
  return state_->grants.Lease(holder, request, kept);
}

absl::StatusOr<LeaseGrant> Pool::Attach(HolderId holder,
                                        const AttachRequest& request) {
  return *AttachOrWait(holder, request, nullptr);
}

std::optional<absl::StatusOr<LeaseGrant>> Pool::AttachOrWait(
    HolderId holder, const AttachRequest& request, AttachWait* wait) {
  return state_->attachments.AttachOrWait(holder, request, wait);
}

bool Pool::CancelWait(WaitId id) {
  LeaseBook& book = state_->parts.book;
  MutexLock lock(&book.mutex);
  return book.waits.Cancel(id);
}

std::vector<absl::Status> Pool::Release(HolderId holder,
                                        absl::Span<const LeaseRef> leases,
                                        bool revoke) {
  return state_->endings.Release(holder, leases, revoke);
}

absl::StatusOr<absl::Duration> Pool::Renew(HolderId holder, const LeaseRef& ref,
                                           RequestedTtl requested,
                                           uint64_t bytes) {
  PoolParts& parts = state_->parts;
  ASSIGN_OR_RETURN(const absl::Duration ttl, parts.GrantedTtl(requested));
  const absl::Time now = parts.clock.Now();
  bool news = false;
  {
    LeaseBook& book = state_->parts.book;
    MutexLock lock(&book.mutex);
    ASSIGN_OR_RETURN(const LeaseTable::Lease* const lease,
                     book.table.Find(holder, ref, /*as_admin=*/false));
    if (lease == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("lease ", ref.id.ToHex(), " was released"));
    }
    news = book.Renew(*lease, ttl, now);
  }
  // With two renewals at once, the journal may have one and the table the
  // other. A caller that sent both can't tell which was the later.
  if (news) parts.journal.Renew(ref.id, ttl);
  // Schedule after the change: an earlier Tick would miss what is due.
  if (ttl > absl::ZeroDuration()) parts.segments.ScheduleTick(now + ttl);
  if (bytes > 0) {
    RETURN_IF_ERROR(state_->handover.Resize(holder, ref, bytes));
  }
  return ttl;
}

absl::StatusOr<absl::Duration> Pool::Assert(HolderId holder,
                                            const AssertedLease& lease) {
  return state_->assertions.Assert(holder, lease);
}

absl::Status Pool::Seal(HolderId holder, const LeaseRef& lease,
                        const SealRequest& request) {
  return state_->handover.Seal(holder, lease, request);
}

absl::StatusOr<absl::Duration> Pool::MakeTicket(HolderId holder,
                                                const LeaseRef& lease,
                                                const LeaseId& ticket,
                                                RequestedTtl ttl,
                                                uint64_t bytes) {
  return state_->handover.MakeTicket(holder, lease, ticket, ttl, bytes);
}

absl::StatusOr<LeaseGrant> Pool::Claim(HolderId holder,
                                       const ClaimRequest& request) {
  return state_->handover.Claim(holder, request);
}

absl::StatusOr<BufferPage> Pool::List(HolderId holder,
                                      const BufferFilter& filter,
                                      size_t page_size,
                                      const std::string& page_token) const {
  return state_->listings.List(holder, filter, page_size, page_token);
}

std::vector<BufferListing> Pool::ListAll(size_t most_leases) const {
  return state_->listings.ListAll(most_leases);
}

std::vector<HolderUsage> Pool::HolderUsages() const {
  return state_->listings.HolderUsages();
}

std::vector<UnheldLease> Pool::UnheldLeases(std::optional<uid_t> uid,
                                            size_t most) const {
  return state_->listings.UnheldLeases(uid, most);
}

absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> Pool::Watch(
    HolderId holder, const std::string& name_prefix,
    std::function<void()> wake) {
  if (name_prefix.size() > LeaseRecord::kMaxBufferNameBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "name prefix of ", name_prefix.size(), " bytes: no name has more than ",
        LeaseRecord::kMaxBufferNameBytes));
  }
  ASSIGN_OR_RETURN(const Holder caller, FindHolder(holder));
  return state_->parts.events.StartWatch({.uid = caller.uid,
                                          .all_uids = caller.admin,
                                          .name_prefix = name_prefix,
                                          .wake = std::move(wake)});
}

void Pool::RecordRefused(HolderId holder, uint64_t bytes,
                         const absl::Status& status) {
  state_->parts.RecordRefused(holder, bytes, status);
}

std::optional<Refusal> Pool::LastRefusalOf(uid_t uid) const {
  LeaseBook& book = state_->parts.book;
  MutexLock lock(&book.mutex);
  return book.last_refusals.Of(uid, state_->parts.clock.Now());
}

Recovered Pool::Recover(const std::vector<RecoveredLease>& leases,
                        uint64_t last_generation,
                        std::vector<Segment> leftovers) {
  return Recovery(&state_->parts, &state_->endings)
      .Run(leases, last_generation, std::move(leftovers));
}

absl::Time Pool::Tick(absl::Time as_of) {
  PoolParts& parts = state_->parts;
  state_->endings.EndExpired(std::min(as_of, parts.clock.Now()));
  parts.waker.WakeDue(parts.clock.Now());
  const absl::Time journal_due = parts.journal.Keep();
  const absl::Time next = std::min(parts.segments.Tick(), journal_due);
  LeaseBook& book = state_->parts.book;
  MutexLock lock(&book.mutex);
  return std::min({next, book.NextExpiry(), book.waits.NextDue()});
}

void Pool::PostponeExpiry(absl::Time until) {
  LeaseBook& book = state_->parts.book;
  MutexLock lock(&book.mutex);
  absl::Time& end = book.expiry_pause_end;
  end = std::max(end, until);
}

void Pool::Drain() {
  {
    LeaseBook& book = state_->parts.book;
    MutexLock lock(&book.mutex);
    book.draining = true;
  }
  state_->parts.waker.WakeAll();
  state_->parts.segments.Drain();
}

size_t Pool::RevokeAll() { return state_->endings.RevokeAll(); }

void Pool::EndJournal() {
  {
    LeaseBook& book = state_->parts.book;
    MutexLock lock(&book.mutex);
    WARMPOOL_CHECK(book.table.lease_count() == 0,
                   "live leases lose their journal");
  }
  state_->parts.journal.EndFiles(&state_->parts.calls);
}

Pool::Stats Pool::stats() const {
  // Segments first: a lease granted in between is in the counts of leases, but
  // not yet in those of segments. In the other order its bytes would have no
  // lease.
  SegmentPool::Stats segments = state_->parts.segments.stats();
  const JournalKeeper::Counts journal = state_->parts.journal.counts();
  const absl::Time now = state_->parts.clock.Now();
  LeaseBook& book = state_->parts.book;
  MutexLock lock(&book.mutex);
  Stats stats;
  static_cast<LeaseCounts&>(stats) = book.counts;
  stats.last_refusals = book.last_refusals.Newest(kMostRefusalsTold, now);
  stats.segments = std::move(segments);
  stats.live_leases = book.table.lease_count();
  stats.recovering_leases = book.table.recovering_count();
  stats.live_tickets = book.table.tickets();
  stats.live_lingering = book.table.lingering();
  stats.live_buffers = book.table.buffer_count();
  // The pool itself is one of the holders.
  stats.holders = book.table.holders().size() - 1;
  stats.waiting = book.waits.size();
  stats.failed_journal_writes = journal.failed_writes;
  stats.journal_waits = journal.waits;
  stats.draining = book.draining;
  return stats;
}

void Pool::CheckInvariants() const {
  {
    LeaseBook& book = state_->parts.book;
    MutexLock lock(&book.mutex);
    book.table.CheckInvariants();
    book.waits.CheckInvariants();
  }
  state_->parts.quota.CheckInvariants();
  state_->parts.journal.CheckInvariants();
  state_->parts.segments.CheckInvariants();
  state_->parts.events.CheckInvariants();
}

uint64_t Pool::returns() const { return state_->parts.segments.returns(); }

uint64_t Pool::AwaitReturn(uint64_t seen, absl::Time until) {
  return state_->parts.segments.AwaitReturn(seen, until);
}

void Pool::WakeAwaitReturn() { state_->parts.segments.WakeAwaitReturn(); }

bool Pool::MakeStock(SegmentPool::StepRunner run_step) {
  return state_->parts.segments.MakeStock(run_step);
}

uint64_t Pool::ReleaseUnused(EvictionReason reason,
                             absl::Duration stock_pause) {
  return state_->parts.segments.ReleaseUnused(reason, stock_pause);
}

uint64_t Pool::kept_bytes() const {
  return state_->parts.segments.kept_bytes();
}

}  // namespace warmpool
