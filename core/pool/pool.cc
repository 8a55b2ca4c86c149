#include "core/pool/pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace warmpool {

Pool::Pool(SegmentDirectory* directory, SystemCalls* calls, const Clock* clock,
           RandomSource* random, const Options& options, Journal* journal)
    : options_(options),
      directory_(*directory),
      calls_(*calls),
      clock_(*clock),
      random_(*random),
      quota_(options.quota),
      journal_(journal, clock),
      segments_(directory, calls, clock, [&] {
        SegmentPool::Options segments = options.segments;
        segments.quota = &quota_;
        return segments;
      }()) {
  MutexLock lock(&mutex_);
  table_.AddHolder(PoolHolder());
}

Pool::~Pool() {
  std::vector<Segment> leased;
  {
    MutexLock lock(&mutex_);
    for (const LeaseId& id : table_.Leases()) {
      std::optional<Segment> segment =
          table_.Unpin(table_.End(id, EndCause::kRevoked).buffer);
      if (segment.has_value()) leased.push_back(*std::move(segment));
    }
  }
  for (Segment& segment : leased) segments_.Detach(std::move(segment));
}

void Pool::AddHolder(Holder holder) {
  MutexLock lock(&mutex_);
  table_.AddHolder(std::move(holder));
}

void Pool::RecordRefused(HolderId holder, uint64_t bytes,
                         const absl::Status& status) {
  Refusal refusal{.status = status,
                  .age = absl::ZeroDuration(),
                  .holder = Holder(),
                  .bytes = bytes};
  {
    MutexLock lock(&mutex_);
    const Holder* const refused = table_.FindHolder(holder);
    if (refused != nullptr) refusal.holder = *refused;
    last_refusals_.Note(refusal, clock_.Now());
    CountRefusedLocked(status);
  }
  if (options_.on_refused) options_.on_refused(refusal);
}

std::optional<Refusal> Pool::LastRefusalOf(uid_t uid) const {
  MutexLock lock(&mutex_);
  return last_refusals_.Of(uid, clock_.Now());
}

void Pool::CountRefusedLocked(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument: ++counts_.refused_invalid; break;
    case absl::StatusCode::kResourceExhausted:
      ++counts_.refused_exhausted;
      break;
    case absl::StatusCode::kAlreadyExists: ++counts_.refused_name_taken; break;
    case absl::StatusCode::kUnavailable: ++counts_.refused_draining; break;
    default: ++counts_.refused_other;
  }
}

absl::StatusOr<absl::Duration> Pool::Renew(HolderId holder, const LeaseRef& ref,
                                           RequestedTtl requested,
                                           uint64_t bytes) {
  const absl::StatusOr<absl::Duration> ttl = GrantedTtl(requested);
  if (!ttl.ok()) return ttl.status();
  const absl::Time now = clock_.Now();
  bool news = false;
  {
    MutexLock lock(&mutex_);
    const absl::StatusOr<const LeaseTable::Lease*> lease =
        table_.Find(holder, ref, /*as_admin=*/false);
    if (!lease.ok()) return lease.status();
    if (*lease == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("lease ", ref.id.ToHex(), " was released"));
    }
    news = RenewLocked(**lease, *ttl, now);
  }
  if (news) {
    // Of two at once the journal may have one and the table the other: whoever
    // asked for both can't tell which was the later.
    journal_.Renew(ref.id, *ttl);
    AccountJournal();
  }
  // Not earlier: as in AttachUncounted.
  if (*ttl > absl::ZeroDuration()) segments_.ScheduleTick(now + *ttl);
  if (bytes > 0) {
    const absl::Status resized = Resize(holder, ref, bytes);
    if (!resized.ok()) return resized;
  }
  return *ttl;
}

bool Pool::RenewLocked(const LeaseTable::Lease& lease, absl::Duration ttl,
                       absl::Time now) {
  // A later daemon gives each lease a full time to live anyway: only another
  // one is news to it.
  const bool news = ttl != lease.ttl;
  table_.Renew(lease.id, ttl, now);
  ++counts_.renewed;
  return news;
}

absl::StatusOr<Holder> Pool::FindHolder(HolderId holder) const {
  MutexLock lock(&mutex_);
  const Holder* const found = table_.FindHolder(holder);
  if (found == nullptr) {
    return absl::UnavailableError("the holder's process is gone");
  }
  return *found;
}

absl::StatusOr<std::unique_ptr<BufferEvents::Watch>> Pool::Watch(
    HolderId holder, const std::string& name_prefix,
    std::function<void()> wake) {
  if (name_prefix.size() > LeaseRecord::kMaxBufferNameBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "name prefix of ", name_prefix.size(), " bytes: no name has more than ",
        LeaseRecord::kMaxBufferNameBytes));
  }
  BufferEvents::WatchOptions options{.name_prefix = name_prefix,
                                     .wake = std::move(wake)};
  {
    MutexLock lock(&mutex_);
    const Holder* const caller = table_.FindHolder(holder);
    if (caller == nullptr) {
      return absl::UnavailableError("the holder's process is gone");
    }
    options.uid = caller->uid;
    options.all_uids = caller->admin;
  }
  return events_.StartWatch(std::move(options));
}

void Pool::PublishLocked(BufferEvents::Kind kind,
                         const LeaseTable::Buffer& buffer) {
  events_.Publish(kind, buffer.name, buffer.uid, buffer.generation,
                  buffer.bytes);
}

absl::Status Pool::RequireAdmin(HolderId holder, absl::string_view deed) const {
  MutexLock lock(&mutex_);
  const Holder* const caller = table_.FindHolder(holder);
  if (caller != nullptr && caller->admin) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "only uid 0, the daemon's own uid and --admin_uid may ", deed));
}

absl::Time Pool::Tick(absl::Time as_of) {
  EndExpired(std::min(as_of, clock_.Now()));
  AttachWaits::Wakes late;
  {
    MutexLock lock(&mutex_);
    late = waits_.TakeDue(clock_.Now(), kWaitsAtOnce);
  }
  Wake(late);
  journal_.Keep();
  segments_.AddOverhead(journal_.TakeGrowth());
  const absl::Time next = std::min(segments_.Tick(), journal_.NextDue());
  MutexLock lock(&mutex_);
  return std::min({next, NextExpiryLocked(), waits_.NextDue()});
}

void Pool::Drain() {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
  }
  // Nobody else comes to wait.
  for (bool more = true; more;) {
    AttachWaits::Wakes wakes;
    {
      MutexLock lock(&mutex_);
      wakes = waits_.Take(kWaitsAtOnce);
    }
    Wake(wakes);
    more = wakes.size() == kWaitsAtOnce;
    if (more) Yield();
  }
  segments_.Drain();
}

Pool::Stats Pool::stats() const {
  // Segments first: a lease granted in between shows up in the counts of
  // leases before it does in those of segments, never as bytes of nobody.
  SegmentPool::Stats segments = segments_.stats();
  const JournalKeeper::Counts journal = journal_.counts();
  MutexLock lock(&mutex_);
  Stats stats = counts_;
  stats.last_refusals = last_refusals_.Newest(kMostRefusalsTold, clock_.Now());
  stats.segments = std::move(segments);
  stats.live_leases = table_.lease_count();
  stats.recovering_leases = table_.recovering_count();
  stats.live_tickets = table_.tickets();
  stats.live_lingering = table_.lingering();
  stats.live_buffers = table_.buffer_count();
  // The pool is one itself.
  stats.holders = table_.holder_count() - 1;
  stats.waiting = waits_.size();
  stats.failed_journal_writes = journal.failed_writes;
  stats.journal_waits = journal.waits;
  stats.draining = draining_;
  return stats;
}

void Pool::CheckInvariants() const {
  {
    MutexLock lock(&mutex_);
    table_.CheckInvariants();
    waits_.CheckInvariants();
  }
  quota_.CheckInvariants();
  journal_.CheckInvariants();
  segments_.CheckInvariants();
  events_.CheckInvariants();
}

}  // namespace warmpool
