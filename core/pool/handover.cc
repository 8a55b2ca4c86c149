#include "core/pool/handover.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/status_macros.h"
#include "core/book/journal_record.h"
#include "core/memory/directory/segment_name.h"
#include "core/pool/effects.h"
#include "core/pool/pool_types.h"

namespace warmpool {

Handover::Hold::~Hold() {
  if (buffer == nullptr) return;
  Effects effects(&parts_);
  MutexLock lock(&parts_.book.mutex);
  buffer->handing_over = false;
  effects.Return(parts_.book.Unpin(buffer));
}

absl::Status Handover::Begin(HolderId holder, const LeaseRef& ref,
                             uint64_t bytes, absl::string_view deed,
                             Hold* hold) {
  ASSIGN_OR_RETURN(const LeaseTable::Lease* const lease,
                   parts_.book.table.Find(holder, ref, /*as_admin=*/false));
  if (lease == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("lease ", ref.id.ToHex(), " was released"));
  }
  LeaseTable::Buffer& buffer = *lease->buffer;
  if (!ChannelOf(buffer.name).empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("buffer \"", buffer.name, "\" can't be ", deed,
                     ": it is in a channel, which its members share"));
  }
  if (buffer.sealed) {
    return absl::FailedPreconditionError(
        absl::StrCat("buffer \"", buffer.name, "\" is sealed: it can't be ",
                     deed, ", but others can attach to it"));
  }
  if (buffer.leases.size() > 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "buffer \"", buffer.name, "\" can't be ", deed, " while ",
        buffer.leases.size() - 1,
        " other leases on it are live: they must be released first"));
  }
  if (bytes > buffer.segment.bytes()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "buffer \"", buffer.name, "\" can't be ", deed, " with ", bytes,
        " bytes: its segment has ", buffer.segment.bytes()));
  }
  // The pin belongs to an attachment in progress or to another hand-over.
  if (buffer.pins > 0) {
    return absl::AbortedError(
        absl::StrCat("another request that concerns buffer \"", buffer.name,
                     "\" is under way: repeat this one"));
  }
  parts_.book.table.Pin(&buffer);
  buffer.handing_over = true;
  hold->buffer = &buffer;
  hold->lease = *lease;
  hold->holder = *parts_.book.table.holders().Find(lease->holder);
  hold->bytes = bytes == 0 ? buffer.bytes : bytes;
  hold->generation = buffer.generation;
  return absl::OkStatus();
}

absl::Status Handover::LivesStill(const Hold& hold) const {
  if (parts_.book.FindLive(hold.lease.id) != nullptr) return absl::OkStatus();
  return EndedMeanwhile(hold.lease.id);
}

const LeaseTable::Lease* Handover::FindOwn(HolderId holder,
                                           const LeaseRef& ref) const {
  return parts_.book.table.Find(holder, ref, /*as_admin=*/false)
      .value_or(nullptr);
}

LeaseRecord Handover::RecordAfter(const Hold& hold,
                                  const LeaseTable::Lease& lease,
                                  const Holder& holder) {
  LeaseRecord record = RecordOf(lease, *hold.buffer, holder);
  record.bytes = hold.bytes;
  record.generation = hold.generation;
  return record;
}

absl::Status Handover::Seal(HolderId holder, const LeaseRef& ref,
                            const SealRequest& request) {
  const absl::Duration linger = request.linger;
  if (linger < absl::ZeroDuration() || linger > parts_.options.max_ttl) {
    return absl::InvalidArgumentError(absl::StrCat(
        "linger of ", absl::FormatDuration(linger), " is not within 0 and ",
        absl::FormatDuration(parts_.options.max_ttl), " (--max_ttl)"));
  }
  Effects effects(&parts_);
  Hold hold(&parts_);
  {
    MutexLock lock(&parts_.book.mutex);
    const LeaseTable::Lease* const lease = FindOwn(holder, ref);
    // A repetition, after the answer was lost.
    if (lease != nullptr && lease->buffer->sealed) return absl::OkStatus();
    RETURN_IF_ERROR(Begin(holder, ref, request.bytes, "sealed", &hold));
  }
  Segment* const segment = &hold.buffer->segment;
  RETURN_IF_ERROR(parts_.directory.Seal(segment, request.share_with));
  LeaseRecord record = RecordAfter(hold, hold.lease, hold.holder);
  record.access = Access::kReadOnly;
  record.sealed = true;
  record.linger = linger;
  record.share_with = request.share_with;
  if (const absl::Status kept =
          parts_.journal.Replace(ref.id, std::move(record));
      !kept.ok()) {
    // The holder goes on writing to the buffer.
    (void)parts_.directory.Unseal(segment);
    return kept;
  }
  MutexLock lock(&parts_.book.mutex);
  RETURN_IF_ERROR(LivesStill(hold));
  parts_.book.table.Seal(ref.id, request);
  hold.buffer->bytes = hold.bytes;
  parts_.book.Publish(BufferEvents::Kind::kSealed, *hold.buffer);
  ++parts_.book.counts.sealed;
  effects.Wake(parts_.book.waits.TakeFirst(
      {hold.buffer->name, hold.buffer->uid, /*sealed=*/true}));
  return absl::OkStatus();
}

absl::Status Handover::Resize(HolderId holder, const LeaseRef& ref,
                              uint64_t bytes) {
  Hold hold(&parts_);
  {
    MutexLock lock(&parts_.book.mutex);
    const LeaseTable::Lease* const lease = FindOwn(holder, ref);
    if (lease == nullptr) return EndedMeanwhile(ref.id);
    const LeaseTable::Buffer& buffer = *lease->buffer;
    if (bytes == buffer.bytes || buffer.sealed || buffer.leases.size() > 1 ||
        buffer.pins > 0 || !ChannelOf(buffer.name).empty()) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Begin(holder, ref, bytes, "renewed", &hold));
  }
  RETURN_IF_ERROR(parts_.journal.Replace(
      ref.id, RecordAfter(hold, hold.lease, hold.holder)));
  MutexLock lock(&parts_.book.mutex);
  RETURN_IF_ERROR(LivesStill(hold));
  hold.buffer->bytes = hold.bytes;
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> Handover::MakeTicket(HolderId holder,
                                                    const LeaseRef& ref,
                                                    const LeaseId& ticket,
                                                    RequestedTtl requested,
                                                    uint64_t bytes) {
  const absl::Duration max_ttl = parts_.options.max_ttl;
  // Without a limit, an unclaimed ticket would keep the buffer for ever.
  if (requested.has_value() &&
      (*requested <= absl::ZeroDuration() || *requested > max_ttl)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a ticket's time to live of ", absl::FormatDuration(*requested),
        " is not above 0 and up to ", absl::FormatDuration(max_ttl),
        " (--max_ttl)"));
  }
  if (ticket == LeaseId()) {
    return absl::InvalidArgumentError(
        "the ticket is all zeros: make it of 16 random bytes");
  }
  ASSIGN_OR_RETURN(const absl::Duration ttl,
                   parts_.GrantedTtl(requested.value_or(kDefaultTicketTtl)));
  Hold hold(&parts_);
  {
    MutexLock lock(&parts_.book.mutex);
    const absl::StatusOr<const LeaseTable::Lease*> known =
        parts_.book.table.Find(0, {ticket, 0}, /*as_admin=*/true);
    // A repetition, after the answer was lost.
    if (known.ok() && *known != nullptr &&
        (*known)->kind == LeaseKind::kTicket &&
        (*known)->request_id == ref.id) {
      return (*known)->ttl;
    }
    if (!absl::IsNotFound(known.status())) {
      return absl::AlreadyExistsError(absl::StrCat(
          "ticket ", ticket.ToHex(), " was given before: make another"));
    }
    RETURN_IF_ERROR(
        Begin(holder, ref, bytes, "handed over by a ticket", &hold));
  }
  // The request id lets this daemon and later ones recognise a repetition.
  LeaseTable::Lease lease =
      parts_.book.NewLease(LeaseBook::kPoolHolder, /*request_id=*/ref.id,
                           ClientId(), ttl, Access::kSharedWritable);
  lease.id = ticket;
  lease.kind = LeaseKind::kTicket;
  lease.maker = std::make_shared<const Process>(hold.holder.process());
  lease.warmth = Warmth::kWarm;
  const absl::Time expires_at = lease.expires_at;
  RETURN_IF_ERROR(
      Exchange(hold, holder, LeaseBook::PoolHolder(), std::move(lease),
               [&](const LeaseTable::Lease&) ABSL_EXCLUSIVE_LOCKS_REQUIRED(
                   parts_.book.mutex) { ++parts_.book.counts.tickets; }));
  parts_.segments.ScheduleTick(expires_at);
  return ttl;
}

absl::Status Handover::Exchange(
    const Hold& hold, HolderId caller, const Holder& holder,
    LeaseTable::Lease lease,
    absl::FunctionRef<void(const LeaseTable::Lease&)> committed) {
  const LeaseId replaced = hold.lease.id;
  const LeaseId id = lease.id;
  LeaseRecord record = RecordAfter(hold, lease, holder);
  RETURN_IF_ERROR(parts_.journal.Replace(replaced, std::move(record)));
  absl::Status status;
  {
    MutexLock lock(&parts_.book.mutex);
    status = LivesStill(hold);
    if (status.ok()) status = parts_.book.MayCommit(caller, id);
    if (status.ok()) {
      hold.buffer->bytes = hold.bytes;
      hold.buffer->generation = hold.generation;
      committed(parts_.book.Exchange(replaced, std::move(lease)));
    }
  }
  // The journal has one lease in place of the other: end both.
  if (!status.ok()) endings_.EndReplaced(replaced, id);
  return status;
}

absl::StatusOr<LeaseGrant> Handover::Claim(HolderId holder,
                                           const ClaimRequest& request) {
  absl::StatusOr<LeaseGrant> grant = ClaimUncounted(holder, request);
  if (!grant.ok()) {
    parts_.RecordRefused(holder, /*bytes=*/0, grant.status());
  }
  return grant;
}

absl::StatusOr<LeaseGrant> Handover::ClaimUncounted(
    HolderId holder, const ClaimRequest& request) {
  ASSIGN_OR_RETURN(const absl::Duration ttl, parts_.GrantedTtl(request.ttl));
  Reservation reservation;
  Hold hold(&parts_);
  {
    MutexLock lock(&parts_.book.mutex);
    ASSIGN_OR_RETURN(const LeaseTable::Lease* const answered,
                     parts_.book.Begin(holder, request.request_id));
    if (answered != nullptr) return parts_.book.GrantOf(*answered);
    const Holder& caller = *parts_.book.table.holders().Find(holder);
    reservation.Begin(&parts_, caller, request.request_id);
    RETURN_IF_ERROR(BeginClaim(caller, request.ticket, &hold));
    hold.generation = ++parts_.book.last_generation;
  }
  RETURN_IF_ERROR(RenameForClaim(hold.buffer));
  RETURN_IF_ERROR(ProveForClaim(hold.buffer));
  LeaseTable::Lease lease =
      parts_.book.NewLease(holder, request.request_id, request.client_id, ttl,
                           Access::kSharedWritable);
  lease.warmth = Warmth::kWarm;
  const absl::Time expires_at = lease.expires_at;
  LeaseGrant grant;
  RETURN_IF_ERROR(
      Exchange(hold, holder, reservation.holder(), std::move(lease),
               [&](const LeaseTable::Lease& added)
                   ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex) {
                     reservation.MarkCommitted();
                     ++parts_.book.counts.claimed;
                     grant = parts_.book.GrantOf(added);
                   }));
  parts_.segments.ScheduleTick(expires_at);
  return grant;
}

absl::Status Handover::BeginClaim(const Holder& caller, const LeaseId& ticket,
                                  Hold* hold) {
  const absl::StatusOr<const LeaseTable::Lease*> found = parts_.book.table.Find(
      LeaseBook::kPoolHolder, {ticket, 0}, /*as_admin=*/false);
  // Another holder's lease is not a ticket: answer as for an unknown one.
  if (absl::IsNotFound(found.status()) ||
      absl::IsPermissionDenied(found.status())) {
    return absl::NotFoundError(
        "there is no such ticket: it was never made, or ended long ago");
  }
  RETURN_IF_ERROR(found.status());
  if (*found == nullptr || (*found)->kind != LeaseKind::kTicket) {
    return absl::NotFoundError("this is a lease's id, and no ticket");
  }
  if ((*found)->buffer->uid != caller.uid) {
    return absl::PermissionDeniedError(
        absl::StrCat("the ticket is for a buffer of uid ",
                     (*found)->buffer->uid, ", not of uid ", caller.uid));
  }
  return Begin(LeaseBook::kPoolHolder, {ticket, 0}, /*bytes=*/0, "claimed",
               hold);
}

absl::Status Handover::RenameForClaim(LeaseTable::Buffer* buffer) {
  std::string name;
  {
    MutexLock lock(&parts_.book.mutex);
    if (!buffer->segment.name_is_stale()) return absl::OkStatus();
    name = NextSegmentName(buffer->segment.file_name());
  }
  const absl::Status renamed =
      parts_.directory.RenameFile(buffer->segment, name);
  if (!renamed.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "buffer \"", buffer->name, "\" can't be claimed: ", renamed.message()));
  }
  MutexLock lock(&parts_.book.mutex);
  buffer->segment.set_file_name(std::move(name));
  return absl::OkStatus();
}

absl::Status Handover::ProveForClaim(LeaseTable::Buffer* buffer) {
  // A failed Unseal after a seal may have left the file read-only.
  const Verdict verdict = buffer->segment.sealed()
                              ? parts_.directory.Unseal(&buffer->segment)
                              : parts_.directory.Prove(buffer->segment);
  switch (verdict) {
    case Verdict::kFree: return absl::OkStatus();
    case Verdict::kInUse:
      return absl::FailedPreconditionError(
          absl::StrCat("buffer \"", buffer->name,
                       "\" can't be claimed as yet: a process "
                       "still has it open or mapped. The ticket stays good"));
    case Verdict::kUnfit: break;
  }
  return absl::FailedPreconditionError(
      absl::StrCat("buffer \"", buffer->name,
                   "\" can't be claimed: its file "
                   "was changed, and ends with the ticket"));
}

}  // namespace warmpool
