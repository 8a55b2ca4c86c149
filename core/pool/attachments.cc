#include "core/pool/attachments.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/status_macros.h"
#include "core/book/journal_record.h"
#include "core/lease/lease_names.h"
#include "core/pool/effects.h"

namespace warmpool {

std::optional<absl::StatusOr<LeaseGrant>> Attachments::AttachOrWait(
    HolderId holder, const AttachRequest& request, AttachWait* wait) {
  std::optional<absl::StatusOr<LeaseGrant>> grant =
      AttachUncounted(holder, request, wait);
  if (grant.has_value() && !grant->ok()) {
    parts_.RecordRefused(holder, /*bytes=*/0, grant->status());
  }
  return grant;
}

absl::StatusOr<LeaseTable::Buffer*> Attachments::FindFor(
    const Holder& caller, const AttachRequest& request) {
  const uid_t owner = request.owner.value_or(caller.uid);
  LeaseTable::Buffer* buffer =
      parts_.book.table.FindBuffer(owner, request.name);
  if (owner != caller.uid) {
    if (request.access != Access::kReadOnly) {
      return absl::PermissionDeniedError(
          absl::StrCat("uid ", caller.uid, " can't write to buffers of uid ",
                       owner, ": attach for reading"));
    }
    // Other uids must not learn that an unshared buffer exists.
    if (buffer != nullptr && buffer->share_with.empty()) buffer = nullptr;
    if (buffer != nullptr &&
        !buffer->share_with.Admits(caller.uid, caller.gids)) {
      return absl::PermissionDeniedError(
          absl::StrCat("buffer \"", request.name, "\" of uid ", owner,
                       " is shared, but not with uid ", caller.uid));
    }
  }
  RETURN_IF_ERROR(MayAttach(buffer, request));
  return buffer;
}

absl::Status Attachments::MayAttach(const LeaseTable::Buffer* buffer,
                                    const AttachRequest& request) const {
  if (buffer == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("no buffer is named \"", request.name, "\""));
  }
  const LeaseTable::Lease& first =
      parts_.book.table.LeaseOf(*buffer->leases.begin());
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

absl::StatusOr<Attachments::Found> Attachments::Reserve(
    HolderId holder, const AttachRequest& request, AttachWait* wait,
    Reservation* reservation) {
  const absl::Time now = parts_.clock.Now();
  MutexLock lock(&parts_.book.mutex);
  ASSIGN_OR_RETURN(const LeaseTable::Lease* const answered,
                   parts_.book.Begin(holder, request.request_id));
  if (answered != nullptr) return Found{parts_.book.GrantOf(*answered)};
  const Holder& caller = *parts_.book.table.holders().Find(holder);
  const absl::StatusOr<LeaseTable::Buffer*> found = FindFor(caller, request);
  if (!found.ok()) {
    // This must happen under this hold of the lock: the wait can be woken right
    // after it, and the request is then repeated.
    parts_.book.table.Abandon(holder, request.request_id);
    const bool will_come = absl::IsNotFound(found.status()) ||
                           absl::IsDeadlineExceeded(found.status());
    if (!will_come || wait == nullptr || now >= wait->until) {
      return found.status();
    }
    RETURN_IF_ERROR(
        parts_.book.waits.Add({request.name, request.owner.value_or(caller.uid),
                               /*sealed=*/request.access == Access::kReadOnly},
                              caller, std::move(*wait)));
    return Found{};
  }
  reservation->Begin(&parts_, caller, request.request_id);
  parts_.book.table.RecordShown(**found, holder, request.client_id, now);
  RETURN_IF_ERROR(parts_.quota.Reserve(caller.uid, 0));
  reservation->HoldQuota(caller.uid, 0);
  parts_.book.table.Pin(*found);
  reservation->HoldPin(*found);
  return Found{.buffer = *found};
}

std::optional<absl::StatusOr<LeaseGrant>> Attachments::AttachUncounted(
    HolderId holder, const AttachRequest& request, AttachWait* wait) {
  RETURN_IF_ERROR(ValidateGivenName(request.name));
  // Default in a channel: as long as the holder lives.
  const RequestedTtl requested =
      ChannelOf(request.name).empty() || request.ttl.has_value()
          ? request.ttl
          : absl::ZeroDuration();
  ASSIGN_OR_RETURN(const absl::Duration ttl, parts_.GrantedTtl(requested));
  const absl::Time wait_until =
      wait == nullptr ? absl::InfinitePast() : wait->until;
  Reservation reservation;
  ASSIGN_OR_RETURN(Found found, Reserve(holder, request, wait, &reservation));
  if (found.answered.has_value()) return *std::move(found.answered);
  if (found.buffer == nullptr) {
    parts_.segments.ScheduleTick(wait_until);
    return std::nullopt;
  }
  LeaseTable::Lease lease = parts_.book.NewLease(
      holder, request.request_id, request.client_id, ttl, request.access);
  // The pages exist and hold what other holders wrote.
  lease.warmth = Warmth::kWarm;
  const absl::Time expires_at = lease.expires_at;
  absl::StatusOr<LeaseGrant> grant =
      Commit(std::move(lease), found.buffer, &LeaseCounts::granted_attached,
             &reservation);
  if (grant.ok()) parts_.segments.ScheduleTick(expires_at);
  return grant;
}

absl::StatusOr<LeaseGrant> Attachments::Commit(LeaseTable::Lease lease,
                                               LeaseTable::Buffer* buffer,
                                               uint64_t LeaseCounts::*count,
                                               Reservation* reservation) {
  const LeaseId id = lease.id;
  const HolderId holder = lease.holder;
  LeaseGrant grant;
  RETURN_IF_ERROR(reservation->Commit(
      RecordOf(lease, *buffer, reservation->holder()),
      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex) -> absl::Status {
        RETURN_IF_ERROR(parts_.book.MayCommit(holder, id));
        ++(parts_.book.counts.*count);
        grant = parts_.book.GrantOf(
            parts_.book.table.AddLease(buffer, std::move(lease)));
        return absl::OkStatus();
      }));
  return grant;
}

}  // namespace warmpool
