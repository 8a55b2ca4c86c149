// How leases are granted.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/pool/pool.h"

namespace warmpool {

absl::StatusOr<LeaseGrant> Pool::Lease(HolderId holder,
                                       const LeaseRequest& request) {
  absl::StatusOr<LeaseGrant> grant = LeaseUncounted(holder, request);
  const bool tried_again =
      (request.if_ready && absl::IsNotFound(grant.status())) ||
      (!request.is_last_try && absl::IsResourceExhausted(grant.status()));
  if (!grant.ok() && !tried_again) NoteRefused(grant.status());
  return grant;
}

absl::StatusOr<LeaseGrant> Pool::Attach(HolderId holder,
                                        const AttachRequest& request) {
  absl::StatusOr<LeaseGrant> grant = AttachUncounted(holder, request);
  if (!grant.ok()) NoteRefused(grant.status());
  return grant;
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
  if (begun.ok() && *begun != nullptr) {
    ++counts_.replayed;
    const LeaseTable::Lease& lease = **begun;
    if (lease.state == LeaseState::kRecovering) {
      table_.Renew(lease.id, lease.ttl, clock_.Now());
    }
  }
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
  const SizeClasses& classes = segments_.size_classes();
  const absl::StatusOr<SizeClass> size_class = classes.For(request.bytes);
  const size_t segment_bytes = size_class.ok() ? classes.Bytes(*size_class) : 0;
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
    absl::Status reserved = table_.ReserveName(uid, name, clock_.Now());
    if (reserved.ok()) {
      reserved = size_class.status();
      if (reserved.ok()) reserved = quota_.Reserve(uid, segment_bytes);
      if (!reserved.ok()) table_.AbandonName(uid, name);
    }
    if (!reserved.ok()) {
      table_.Abandon(holder, request.request_id);
      return reserved;
    }
  }
  absl::StatusOr<SegmentPool::Acquired> acquired =
      segments_.Acquire({uid, request.bytes, request.require_zeroed, request.if_ready});
  if (acquired.ok()) {
    return CommitLease(holder, uid, request, name, *ttl, *std::move(acquired));
  }
  MutexLock lock(&mutex_);
  quota_.Release(uid, segment_bytes);
  table_.AbandonName(uid, name);
  table_.Abandon(holder, request.request_id);
  return acquired.status();
}

absl::StatusOr<LeaseGrant> Pool::CommitLease(HolderId holder, uid_t uid,
                                             const LeaseRequest& request,
                                             const std::string& name,
                                             absl::Duration ttl,
                                             SegmentPool::Acquired acquired) {
  LeaseTable::Lease lease =
      NewLease(holder, request.request_id, request.client_id, ttl,
               Access::kSharedWritable);
  lease.warmth = acquired.warmth;
  lease.zeroed = acquired.segment.zeroed();
  const absl::Time expires_at = lease.expires_at;
  LeaseTable::Buffer buffer;
  buffer.name = name;
  buffer.uid = uid;
  buffer.bytes = request.bytes;
  buffer.segment = std::move(acquired.segment);
  buffer.granted_at = lease.granted_at;
  absl::StatusOr<LeaseGrant> grant = absl::UnavailableError(
      "the daemon began to drain, or the holder's process went, while the "
      "buffer was made");
  {
    MutexLock lock(&mutex_);
    if (table_.FindHolder(holder) != nullptr && !draining_) {
      buffer.generation = ++last_generation_;
      const absl::Status journalled = JournalGrantLocked(lease, buffer);
      if (journalled.ok()) {
        grant = GrantOf(table_.AddBuffer(std::move(buffer), std::move(lease)));
      } else {
        grant = journalled;
      }
    }
    if (!grant.ok()) {
      quota_.Release(uid, buffer.segment.bytes());
      table_.AbandonName(uid, name);
      table_.Abandon(holder, request.request_id);
    }
  }
  if (grant.ok()) {
    segments_.NoteDue(expires_at);
  } else {
    segments_.Return(std::move(buffer.segment));
  }
  AccountJournal();
  return grant;
}

absl::StatusOr<LeaseGrant> Pool::AttachUncounted(HolderId holder,
                                                 const AttachRequest& request) {
  const absl::StatusOr<absl::Duration> ttl = GrantedTtl(request.ttl);
  if (!ttl.ok()) return ttl.status();
  const absl::Status valid = ValidateBufferName(request.name);
  if (!valid.ok()) return valid;
  LeaseTable::Lease lease = NewLease(holder, request.request_id,
                                     request.client_id, *ttl, request.access);
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
    table_.NoteShown(*buffer, holder, request.client_id, lease.granted_at);
    absl::Status kept = quota_.Reserve(buffer->uid, 0);
    if (kept.ok()) {
      kept = JournalGrantLocked(lease, *buffer);
      if (!kept.ok()) quota_.Release(buffer->uid, 0);
    }
    if (!kept.ok()) {
      table_.Abandon(holder, request.request_id);
      return kept;
    }
    ++counts_.granted_attached;
    grant = GrantOf(table_.AddLease(buffer, std::move(lease)));
  }
  AccountJournal();
  // Not earlier: a Tick in between would not see what is to expire.
  segments_.NoteDue(expires_at);
  return grant;
}

LeaseTable::Lease Pool::NewLease(HolderId holder, const RequestId& request_id,
                                 const ClientId& client_id, absl::Duration ttl,
                                 Access access) const {
  LeaseTable::Lease lease;
  lease.id = random_.Next();
  lease.holder = holder;
  lease.request_id = request_id;
  lease.client_id = client_id;
  lease.access = access;
  lease.ttl = ttl;
  lease.granted_at = clock_.Now();
  lease.touched_at = lease.granted_at;
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

}  // namespace warmpool
