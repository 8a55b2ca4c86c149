// How leases are granted on buffers that are there, or waited for.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/pool/pool.h"

namespace warmpool {

absl::StatusOr<LeaseGrant> Pool::Attach(HolderId holder,
                                        const AttachRequest& request) {
  return *AttachOrWait(holder, request, nullptr);
}

std::optional<absl::StatusOr<LeaseGrant>> Pool::AttachOrWait(
    HolderId holder, const AttachRequest& request, AttachWait* wait) {
  std::optional<absl::StatusOr<LeaseGrant>> grant =
      AttachUncounted(holder, request, wait);
  if (grant.has_value() && !grant->ok()) {
    RecordRefused(holder, /*bytes=*/0, grant->status());
  }
  return grant;
}

bool Pool::CancelWait(WaitId id) {
  MutexLock lock(&mutex_);
  return waits_.Cancel(id);
}

void Pool::Wake(const AttachWaits::Wakes& wakes) {
  for (const std::function<void()>& wake : wakes) wake();
}

Pool::Woken Pool::TakeFirstLocked(AttachWaits::Target target) {
  AttachWaits::Crowd crowd = waits_.CrowdFor(std::move(target));
  Woken woken;
  woken.first = waits_.TakeFrom(crowd, kWakesByCaller);
  if (woken.first.size() == kWakesByCaller) woken.rest = std::move(crowd);
  return woken;
}

void Pool::Wake(Woken woken) {
  Wake(woken.first);
  if (woken.rest.has_value()) WakeLater(*std::move(woken.rest));
}

void Pool::WakeLater(AttachWaits::Crowd crowd) {
  if (options_.run_later) {
    const uid_t uid = crowd.target.uid;
    options_.run_later(uid, [this, crowd = std::move(crowd)] {
      if (WakeSome(crowd)) WakeLater(crowd);
    });
    return;
  }
  while (WakeSome(crowd)) Yield();
}

bool Pool::WakeSome(const AttachWaits::Crowd& crowd) {
  AttachWaits::Wakes wakes;
  {
    MutexLock lock(&mutex_);
    wakes = waits_.TakeFrom(crowd, kWaitsAtOnce);
  }
  Wake(wakes);
  return wakes.size() == kWaitsAtOnce;
}

absl::StatusOr<LeaseTable::Buffer*> Pool::FindForLocked(
    const Holder& caller, const AttachRequest& request) {
  const uid_t owner = request.owner.value_or(caller.uid);
  LeaseTable::Buffer* buffer = table_.FindBuffer(owner, request.name);
  if (owner != caller.uid) {
    if (request.access != Access::kReadOnly) {
      return absl::PermissionDeniedError(
          absl::StrCat("uid ", caller.uid, " can't write to buffers of uid ",
                       owner, ": attach for reading"));
    }
    // Of a buffer that is not shared nobody else learns that it is there.
    if (buffer != nullptr && buffer->share_with.empty()) buffer = nullptr;
    if (buffer != nullptr &&
        !buffer->share_with.Admits(caller.uid, caller.gids)) {
      return absl::PermissionDeniedError(
          absl::StrCat("buffer \"", request.name, "\" of uid ", owner,
                       " is shared, but not with uid ", caller.uid));
    }
  }
  const absl::Status may = MayAttachLocked(buffer, request);
  if (!may.ok()) return may;
  return buffer;
}

uid_t Pool::PayerLocked(const LeaseTable::Lease& lease) const {
  return lease.kind == LeaseKind::kHeld ? table_.FindHolder(lease.holder)->uid
                                        : lease.buffer->uid;
}

absl::Status Pool::MayAttachLocked(const LeaseTable::Buffer* buffer,
                                   const AttachRequest& request) const {
  if (buffer == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("no buffer is named \"", request.name, "\""));
  }
  const LeaseTable::Lease& first = table_.LeaseOf(*buffer->leases.begin());
  const bool writes = request.access == Access::kSharedWritable;
  if (!writes && !ChannelOf(buffer->name).empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "buffer \"", request.name,
        "\" is in a channel, where nothing is "
        "sealed: it is for the channel's members, who attach with shared "
        "writable access (Channel::Take)"));
  }
  if (!writes && !buffer->sealed) {
    return absl::DeadlineExceededError(absl::StrCat(
        "buffer \"", request.name,
        "\" is not sealed yet, so its holder may "
        "still write to it: wait for the seal (wait), or ask its producer to "
        "seal it"));
  }
  if (writes && buffer->sealed) {
    return absl::FailedPreconditionError(
        absl::StrCat("buffer \"", request.name,
                     "\" is sealed: it can be attached to for reading only"));
  }
  if (writes && (buffer->handing_over || first.kind == LeaseKind::kTicket)) {
    return absl::FailedPreconditionError(
        absl::StrCat("buffer \"", request.name,
                     "\" is being sealed or handed over, and "
                     "whoever gets it is to be its only holder"));
  }
  return buffer->MayHaveAnotherLease();
}

std::optional<absl::StatusOr<LeaseGrant>> Pool::AttachUncounted(
    HolderId holder, const AttachRequest& request, AttachWait* wait) {
  const absl::Status valid = ValidateGivenName(request.name);
  if (!valid.ok()) return valid;
  const absl::StatusOr<absl::Duration> ttl =
      GrantedTtl(RequestedFor(request.name, request.ttl));
  if (!ttl.ok()) return ttl.status();
  LeaseTable::Lease lease = NewLease(holder, request.request_id,
                                     request.client_id, *ttl, request.access);
  // Its pages are there, and hold what their holders wrote.
  lease.warmth = Warmth::kWarm;
  const absl::Time expires_at = lease.expires_at;
  absl::Time wait_until = absl::InfinitePast();
  Holder caller;
  LeaseTable::Buffer* buffer = nullptr;
  {
    MutexLock lock(&mutex_);
    const absl::StatusOr<const LeaseTable::Lease*> begun =
        BeginLocked(holder, request.request_id);
    if (!begun.ok()) return begun.status();
    if (*begun != nullptr) return GrantOf(**begun);
    caller = *table_.FindHolder(holder);
    const absl::StatusOr<LeaseTable::Buffer*> found =
        FindForLocked(caller, request);
    buffer = found.value_or(nullptr);
    absl::Status may = found.status();
    const bool will_come =
        absl::IsNotFound(may) || absl::IsDeadlineExceeded(may);
    if (may.ok()) {
      table_.RecordShown(*buffer, holder, request.client_id, lease.granted_at);
      may = quota_.Reserve(caller.uid, 0);
    } else if (will_come && wait != nullptr && lease.granted_at < wait->until) {
      wait_until = wait->until;
      may = waits_.Add({request.name, request.owner.value_or(caller.uid),
                        /*sealed=*/request.access == Access::kReadOnly},
                       caller, std::move(*wait));
    }
    if (!may.ok() || buffer == nullptr) {
      table_.Abandon(holder, request.request_id);
    }
    if (!may.ok()) return may;
    if (buffer != nullptr) table_.Pin(buffer);
  }
  // Not earlier, here and below: a Tick in between would not see what is due.
  if (buffer == nullptr) {
    segments_.ScheduleTick(wait_until);
    return std::nullopt;
  }
  absl::StatusOr<LeaseGrant> grant =
      CommitOnLive(caller, std::move(lease), buffer, &Stats::granted_attached);
  if (grant.ok()) segments_.ScheduleTick(expires_at);
  return grant;
}

absl::StatusOr<LeaseGrant> Pool::CommitOnLive(const Holder& holder,
                                              LeaseTable::Lease lease,
                                              LeaseTable::Buffer* buffer,
                                              uint64_t Stats::*count) {
  const LeaseId id = lease.id;
  const RequestId request_id = lease.request_id;
  absl::Status status = journal_.Grant(RecordOf(lease, *buffer, holder));
  const bool kept = status.ok();
  AccountJournal();
  LeaseGrant grant;
  if (kept) {
    MutexLock lock(&mutex_);
    status = MayCommitLocked(holder.id, id);
    if (status.ok()) {
      ++(counts_.*count);
      grant = GrantOf(table_.AddLease(buffer, std::move(lease)));
      (void)UnpinLocked(buffer);
    }
  }
  if (status.ok()) return grant;
  // If it was not kept, the id may be a lease's that is.
  if (kept) journal_.End(id);
  std::optional<Segment> segment;
  {
    MutexLock lock(&mutex_);
    quota_.ReleaseLease(holder.uid);
    table_.Abandon(holder.id, request_id);
    segment = UnpinLocked(buffer);
  }
  events_.Wake();
  if (segment.has_value()) segments_.Return(*std::move(segment));
  return status;
}

absl::Status Pool::MayCommitLocked(HolderId holder, const LeaseId& id) const {
  if (table_.FindHolder(holder) == nullptr || revoked_) {
    return absl::UnavailableError(
        "the holder's process is gone, or every lease was revoked");
  }
  if (!absl::IsNotFound(
          table_.Find(holder, {id, 0}, /*as_admin=*/true).status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("lease ", id.ToHex(), " was asserted twice at once"));
  }
  return absl::OkStatus();
}

}  // namespace warmpool
