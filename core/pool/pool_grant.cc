// How leases are granted.
#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/pool/pool.h"

namespace warmpool {

absl::StatusOr<LeaseGrant> Pool::Lease(HolderId holder,
                                       const LeaseRequest& request) {
  absl::StatusOr<LeaseGrant> grant = LeaseUncounted(holder, request);
  const bool tried_again =
      (request.if_ready && absl::IsNotFound(grant.status())) ||
      (!request.is_last_try && LacksRoom(grant.status()));
  if (!grant.ok() && !tried_again) {
    RecordRefused(holder, request.bytes, grant.status());
  }
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

absl::StatusOr<std::string> Pool::NameFor(const LeaseRequest& request) const {
  absl::Status valid;
  if (request.channel.has_value()) {
    if (request.name.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a buffer of channel \"", absl::CHexEscape(*request.channel),
          "\" has no name of its own: leave the name out, or the channel"));
    }
    valid = ValidateChannelName(*request.channel);
    if (!valid.ok()) return valid;
    return ChannelBufferName(*request.channel, random_.Next());
  }
  if (!request.name.has_value()) {
    return absl::StrCat("unnamed-", random_.Next().ToHex());
  }
  valid = ValidateBufferName(*request.name);
  if (!valid.ok()) return valid;
  return *request.name;
}

RequestedTtl Pool::RequestedFor(absl::string_view buffer_name,
                                RequestedTtl requested) {
  if (requested.has_value() || ChannelOf(buffer_name).empty()) return requested;
  return absl::ZeroDuration();
}

absl::StatusOr<LeaseGrant> Pool::LeaseUncounted(HolderId holder,
                                                const LeaseRequest& request) {
  const absl::StatusOr<std::string> name = NameFor(request);
  if (!name.ok()) return name.status();
  const absl::StatusOr<absl::Duration> ttl =
      GrantedTtl(RequestedFor(*name, request.ttl));
  if (!ttl.ok()) return ttl.status();
  const SizeClasses& classes = segments_.size_classes();
  const absl::StatusOr<SizeClass> size_class = classes.For(request.bytes);
  const size_t segment_bytes = size_class.ok() ? classes.Bytes(*size_class) : 0;
  LeaseTable::Buffer buffer;
  buffer.name = *name;
  buffer.bytes = request.bytes;
  Holder caller;
  // What it has released may count until that is proven: then once more.
  for (bool proven = false;; proven = true) {
    absl::Status reserved;
    {
      MutexLock lock(&mutex_);
      const absl::StatusOr<const LeaseTable::Lease*> begun =
          BeginLocked(holder, request.request_id);
      if (!begun.ok()) return begun.status();
      if (*begun != nullptr) return GrantOf(**begun);
      caller = *table_.FindHolder(holder);
      buffer.uid = caller.uid;
      reserved = ReserveLocked(buffer, size_class.status(), segment_bytes);
      if (reserved.ok()) {
        buffer.generation = ++last_generation_;
        break;
      }
      table_.Abandon(holder, request.request_id);
    }
    if (proven || !absl::IsResourceExhausted(reserved) ||
        !segments_.ProvePutOff()) {
      return reserved;
    }
  }
  absl::StatusOr<SegmentPool::Acquired> acquired = segments_.Acquire(
      {buffer.uid, request.bytes, request.require_zeroed, request.if_ready});
  if (!acquired.ok()) {
    quota_.ReleaseBytes(buffer.uid, segment_bytes);
    MutexLock lock(&mutex_);
    AbandonLocked(holder, request.request_id, buffer);
    return acquired.status();
  }
  buffer.segment = std::move(acquired->segment);
  LeaseTable::Lease lease =
      NewLease(holder, request.request_id, request.client_id, *ttl,
               Access::kSharedWritable);
  lease.warmth = acquired->warmth;
  lease.zeroed = buffer.segment.zeroed();
  buffer.granted_at = lease.granted_at;
  return CommitLease(caller, std::move(lease), std::move(buffer));
}

absl::Status Pool::ReserveLocked(const LeaseTable::Buffer& buffer,
                                 const absl::Status& size_status,
                                 uint64_t segment_bytes) {
  const absl::Status named =
      table_.ReserveName(buffer.uid, buffer.name, clock_.Now());
  if (!named.ok()) return named;
  const absl::Status reserved = size_status.ok()
                                    ? quota_.Reserve(buffer.uid, segment_bytes)
                                    : size_status;
  if (!reserved.ok()) table_.AbandonName(buffer.uid, buffer.name);
  return reserved;
}

void Pool::AbandonLocked(HolderId holder, const RequestId& request_id,
                         const LeaseTable::Buffer& buffer) {
  quota_.ReleaseLease(buffer.uid);
  table_.AbandonName(buffer.uid, buffer.name);
  table_.Abandon(holder, request_id);
}

absl::StatusOr<LeaseGrant> Pool::CommitLease(const Holder& holder,
                                             LeaseTable::Lease lease,
                                             LeaseTable::Buffer buffer) {
  const LeaseId id = lease.id;
  const RequestId request_id = lease.request_id;
  const absl::Time expires_at = lease.expires_at;
  absl::Status status = journal_.Grant(RecordOf(lease, buffer, holder));
  const bool kept = status.ok();
  AccountJournal();
  LeaseGrant grant;
  Woken woken;
  if (kept) {
    MutexLock lock(&mutex_);
    if (table_.FindHolder(holder.id) != nullptr && !draining_) {
      grant =
          GrantOf(AddBufferLocked(std::move(buffer), std::move(lease), &woken));
    } else {
      status = absl::UnavailableError(
          "the daemon began to drain, or the holder's process went, while the "
          "buffer was made");
    }
  }
  if (status.ok()) {
    events_.Wake();
    segments_.ScheduleTick(expires_at);
    Wake(std::move(woken));
    return grant;
  }
  if (kept) journal_.End(id);
  {
    MutexLock lock(&mutex_);
    AbandonLocked(holder.id, request_id, buffer);
  }
  segments_.Return(std::move(buffer.segment));
  return status;
}

const LeaseTable::Lease& Pool::AddBufferLocked(LeaseTable::Buffer buffer,
                                               LeaseTable::Lease lease,
                                               Woken* woken) {
  const LeaseTable::Lease& added =
      table_.AddBuffer(std::move(buffer), std::move(lease));
  PublishLocked(BufferEvents::Kind::kCreated, *added.buffer);
  *woken = TakeFirstLocked(
      {added.buffer->name, added.buffer->uid, added.buffer->sealed});
  return added;
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
  grant.sealed = buffer.sealed;
  return grant;
}

}  // namespace warmpool
