#include "core/pool/pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace warmpool {

Pool::Pool(SegmentDirectory* directory, SystemCalls* calls, const Clock* clock,
           RandomSource* random, const Options& options)
    : options_(options),
      directory_(*directory),
      clock_(*clock),
      random_(*random),
      segments_(directory, calls, clock, options.segments) {}

Pool::~Pool() {
  std::vector<LeaseTable::Ended> ended;
  {
    MutexLock lock(&mutex_);
    for (const LeaseId& id : table_.AllLeases()) {
      ended.push_back(table_.End(id, EndCause::kRevoked));
    }
  }
  for (LeaseTable::Ended& end : ended) {
    if (end.segment.has_value()) segments_.LetGo(*std::move(end.segment));
  }
}

void Pool::AddHolder(Holder holder) {
  MutexLock lock(&mutex_);
  table_.AddHolder(std::move(holder));
}

void Pool::RemoveHolder(HolderId id) {
  std::vector<LeaseTable::Ended> ended;
  {
    MutexLock lock(&mutex_);
    for (const LeaseId& lease : table_.LeasesOf(id)) {
      ended.push_back(EndLocked(lease, EndCause::kHolderDied));
    }
    table_.RemoveHolder(id);
  }
  Finish(std::move(ended));
}

absl::StatusOr<LeaseGrant> Pool::Lease(HolderId holder,
                                       const LeaseRequest& request) {
  absl::StatusOr<LeaseGrant> grant = LeaseUncounted(holder, request);
  if (!grant.ok()) NoteRefused(grant.status());
  return grant;
}

absl::StatusOr<LeaseGrant> Pool::Attach(HolderId holder,
                                        const AttachRequest& request) {
  absl::StatusOr<LeaseGrant> grant = AttachUncounted(holder, request);
  if (!grant.ok()) NoteRefused(grant.status());
  return grant;
}

void Pool::NoteRefused(const absl::Status& status) {
  MutexLock lock(&mutex_);
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

absl::StatusOr<absl::Duration> Pool::GrantedTtl(RequestedTtl requested) const {
  const absl::Duration ttl = requested.value_or(options_.default_ttl);
  if (ttl < absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ttl ", absl::FormatDuration(ttl),
        " is negative: give a positive one, or 0 for as long as the process "
        "lives"));
  }
  return std::min(ttl, options_.max_ttl);
}

absl::StatusOr<const LeaseTable::Lease*> Pool::BeginLocked(
    HolderId holder, const RequestId& request_id) {
  if (table_.FindHolder(holder) == nullptr) {
    return absl::UnavailableError("the holder's process is gone");
  }
  absl::StatusOr<const LeaseTable::Lease*> begun =
      table_.Begin(holder, request_id);
  if (begun.ok() && *begun == nullptr && draining_) {
    table_.Abandon(holder, request_id);
    return absl::UnavailableError(
        "the daemon is draining: no further lease is granted");
  }
  if (begun.ok() && *begun != nullptr) ++counts_.replayed;
  return begun;
}

absl::StatusOr<LeaseGrant> Pool::LeaseUncounted(HolderId holder,
                                                const LeaseRequest& request) {
  const absl::StatusOr<absl::Duration> ttl = GrantedTtl(request.ttl);
  if (!ttl.ok()) return ttl.status();
  if (request.name.has_value()) {
    const absl::Status valid = ValidateBufferName(*request.name);
    if (!valid.ok()) return valid;
  }
  const std::string name = request.name.value_or(
      absl::StrCat("unnamed-", random_.Next().ToHex()));
  uid_t uid = 0;
  {
    MutexLock lock(&mutex_);
    const absl::StatusOr<const LeaseTable::Lease*> begun =
        BeginLocked(holder, request.request_id);
    if (!begun.ok()) return begun.status();
    if (*begun != nullptr) return GrantOf(**begun);
    uid = table_.FindHolder(holder)->uid;
    const absl::Status reserved = table_.ReserveName(uid, name, clock_.Now());
    if (!reserved.ok()) {
      table_.Abandon(holder, request.request_id);
      return reserved;
    }
  }
  absl::StatusOr<SegmentPool::Acquired> acquired =
      segments_.Acquire({uid, request.bytes, request.require_zeroed});
  if (acquired.ok()) {
    return CommitLease(holder, uid, request, name, *ttl, *std::move(acquired));
  }
  MutexLock lock(&mutex_);
  table_.AbandonName(uid, name);
  table_.Abandon(holder, request.request_id);
  return acquired.status();
}

absl::StatusOr<LeaseGrant> Pool::CommitLease(HolderId holder, uid_t uid,
                                             const LeaseRequest& request,
                                             const std::string& name,
                                             absl::Duration ttl,
                                             SegmentPool::Acquired acquired) {
  LeaseTable::Lease lease = NewLease(holder, request.request_id, ttl,
                                     Access::kSharedWritable);
  lease.warmth = acquired.warmth;
  lease.zeroed = acquired.segment.zeroed();
  const absl::Time expires_at = lease.expires_at;
  std::optional<LeaseGrant> grant;
  {
    MutexLock lock(&mutex_);
    if (table_.FindHolder(holder) != nullptr && !draining_) {
      LeaseTable::Buffer buffer;
      buffer.name = name;
      buffer.uid = uid;
      buffer.bytes = request.bytes;
      buffer.generation = ++last_generation_;
      buffer.segment = std::move(acquired.segment);
      buffer.granted_at = lease.granted_at;
      grant = GrantOf(table_.AddBuffer(std::move(buffer), std::move(lease)));
    } else {
      table_.AbandonName(uid, name);
      table_.Abandon(holder, request.request_id);
    }
  }
  if (grant.has_value()) {
    segments_.NoteDue(expires_at);
    return *grant;
  }
  segments_.Return(std::move(acquired.segment));
  return absl::UnavailableError(
      "the daemon began to drain, or the holder's process went, while the "
      "buffer was made");
}

absl::StatusOr<LeaseGrant> Pool::AttachUncounted(HolderId holder,
                                                 const AttachRequest& request) {
  const absl::StatusOr<absl::Duration> ttl = GrantedTtl(request.ttl);
  if (!ttl.ok()) return ttl.status();
  const absl::Status valid = ValidateBufferName(request.name);
  if (!valid.ok()) return valid;
  LeaseTable::Lease lease =
      NewLease(holder, request.request_id, *ttl, request.access);
  // Its pages are there, and hold what their holders wrote.
  lease.warmth = Warmth::kWarm;
  const absl::Time expires_at = lease.expires_at;
  LeaseGrant grant;
  {
    MutexLock lock(&mutex_);
    const absl::StatusOr<const LeaseTable::Lease*> begun =
        BeginLocked(holder, request.request_id);
    if (!begun.ok()) return begun.status();
    if (*begun != nullptr) return GrantOf(**begun);
    LeaseTable::Buffer* const buffer =
        table_.FindBuffer(table_.FindHolder(holder)->uid, request.name);
    if (buffer == nullptr) {
      table_.Abandon(holder, request.request_id);
      return absl::NotFoundError(
          absl::StrCat("no buffer is named \"", request.name, "\""));
    }
    ++counts_.granted_attached;
    grant = GrantOf(table_.AddLease(buffer, std::move(lease)));
  }
  // Not earlier: a Tick in between would not see what is to expire.
  segments_.NoteDue(expires_at);
  return grant;
}

LeaseTable::Lease Pool::NewLease(HolderId holder, const RequestId& request_id,
                                 absl::Duration ttl, Access access) const {
  LeaseTable::Lease lease;
  lease.id = random_.Next();
  lease.holder = holder;
  lease.request_id = request_id;
  lease.access = access;
  lease.ttl = ttl;
  lease.granted_at = clock_.Now();
  if (ttl > absl::ZeroDuration()) lease.expires_at = lease.granted_at + ttl;
  return lease;
}

LeaseGrant Pool::GrantOf(const LeaseTable::Lease& lease) const {
  const LeaseTable::Buffer& buffer = *lease.buffer;
  LeaseGrant grant;
  grant.id = lease.id;
  grant.generation = buffer.generation;
  grant.buffer_name = buffer.name;
  grant.path = directory_.PathOf(buffer.segment);
  grant.bytes = buffer.bytes;
  grant.segment_bytes = buffer.segment.bytes();
  grant.page_bytes = buffer.segment.page_bytes();
  grant.warmth = lease.warmth;
  grant.zeroed = lease.zeroed;
  grant.ttl = lease.ttl;
  grant.access = lease.access;
  return grant;
}

std::vector<absl::Status> Pool::Release(HolderId holder,
                                        absl::Span<const LeaseRef> leases,
                                        bool revoke) {
  std::vector<absl::Status> statuses;
  statuses.reserve(leases.size());
  std::vector<LeaseTable::Ended> ended;
  if (revoke) {
    const absl::Status permitted = RequireAdmin(holder, "revoke leases");
    if (!permitted.ok()) {
      return std::vector<absl::Status>(leases.size(), permitted);
    }
  }
  {
    MutexLock lock(&mutex_);
    for (const LeaseRef& ref : leases) {
      const absl::StatusOr<const LeaseTable::Lease*> lease =
          table_.Find(holder, ref, revoke);
      statuses.push_back(lease.status());
      if (!lease.ok() || *lease == nullptr) continue;
      const bool own = (*lease)->holder == holder;
      ended.push_back(
          EndLocked(ref.id, own ? EndCause::kReleased : EndCause::kRevoked));
    }
  }
  Finish(std::move(ended));
  return statuses;
}

absl::StatusOr<absl::Duration> Pool::Renew(HolderId holder, const LeaseRef& ref,
                                           RequestedTtl requested) {
  const absl::StatusOr<absl::Duration> ttl = GrantedTtl(requested);
  if (!ttl.ok()) return ttl.status();
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(&mutex_);
    const absl::StatusOr<const LeaseTable::Lease*> lease =
        table_.Find(holder, ref, /*as_admin=*/false);
    if (!lease.ok()) return lease.status();
    if (*lease == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat("lease ", ref.id.ToHex(), " was released"));
    }
    table_.Renew(ref.id, *ttl, now);
    ++counts_.renewed;
  }
  // Not earlier: as in AttachUncounted.
  if (*ttl > absl::ZeroDuration()) segments_.NoteDue(now + *ttl);
  return *ttl;
}

absl::StatusOr<BufferPage> Pool::List(HolderId holder,
                                      const BufferFilter& filter,
                                      size_t page_size,
                                      const std::string& page_token) const {
  MutexLock lock(&mutex_);
  const Holder* const caller = table_.FindHolder(holder);
  if (caller == nullptr) {
    return absl::UnavailableError("the holder's process is gone");
  }
  return ListBuffers(table_, *caller, filter, page_size, page_token,
                     clock_.Now());
}

LeaseTable::Ended Pool::EndLocked(const LeaseId& id, EndCause cause) {
  switch (cause) {
    case EndCause::kReleased: ++counts_.released; break;
    case EndCause::kExpired: ++counts_.expired; break;
    case EndCause::kRevoked: ++counts_.revoked; break;
    case EndCause::kHolderDied: ++counts_.holder_died; break;
  }
  return table_.End(id, cause);
}

void Pool::Finish(std::vector<LeaseTable::Ended> ended) {
  for (LeaseTable::Ended& end : ended) {
    const EndCause cause = end.lease.cause;
    if (options_.on_revoked &&
        (cause == EndCause::kExpired || cause == EndCause::kRevoked)) {
      options_.on_revoked(end.lease);
    }
    if (end.segment.has_value()) segments_.Return(*std::move(end.segment));
  }
}

std::vector<BufferListing> Pool::ListAll() const {
  Holder everyone;
  everyone.admin = true;
  MutexLock lock(&mutex_);
  return ListBuffers(table_, everyone, BufferFilter(), SIZE_MAX,
                     /*page_token=*/"", clock_.Now())
      ->buffers;
}

absl::Status Pool::RequireAdmin(HolderId holder, absl::string_view deed) const {
  MutexLock lock(&mutex_);
  const Holder* const caller = table_.FindHolder(holder);
  if (caller != nullptr && caller->admin) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrCat("only uid 0 and the daemon's own uid may ", deed));
}

absl::Time Pool::Tick() {
  std::vector<LeaseTable::Ended> ended;
  {
    MutexLock lock(&mutex_);
    for (const LeaseId& id : table_.Expired(clock_.Now())) {
      ended.push_back(EndLocked(id, EndCause::kExpired));
    }
  }
  Finish(std::move(ended));
  const absl::Time next = segments_.Tick();
  MutexLock lock(&mutex_);
  return std::min(next, table_.NextExpiry());
}

void Pool::Adopt(std::vector<Segment> leftovers) {
  for (Segment& segment : leftovers) segments_.Adopt(std::move(segment));
}

void Pool::Drain() {
  {
    MutexLock lock(&mutex_);
    draining_ = true;
  }
  segments_.Drain();
}

size_t Pool::RevokeAll() {
  std::vector<LeaseTable::Ended> ended;
  {
    MutexLock lock(&mutex_);
    for (const LeaseId& id : table_.AllLeases()) {
      ended.push_back(EndLocked(id, EndCause::kRevoked));
    }
  }
  for (LeaseTable::Ended& end : ended) {
    if (options_.on_revoked) options_.on_revoked(end.lease);
    if (end.segment.has_value()) segments_.End(*std::move(end.segment));
  }
  segments_.EndQuarantined();
  return ended.size();
}

Pool::Stats Pool::stats() const {
  // Segments first: a lease granted in between shows up in the counts of
  // leases before it does in those of segments, never as bytes of nobody.
  SegmentPool::Stats segments = segments_.stats();
  MutexLock lock(&mutex_);
  Stats stats = counts_;
  stats.segments = std::move(segments);
  stats.live_leases = table_.lease_count();
  stats.live_buffers = table_.buffer_count();
  stats.holders = table_.holder_count();
  stats.draining = draining_;
  return stats;
}

void Pool::CheckInvariants() const {
  {
    MutexLock lock(&mutex_);
    table_.CheckInvariants();
  }
  segments_.CheckInvariants();
}

}  // namespace warmpool
