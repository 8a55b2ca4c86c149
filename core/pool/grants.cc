#include "core/pool/grants.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/status_macros.h"
#include "core/book/journal_record.h"
#include "core/lease/lease_names.h"
#include "core/memory/size_class.h"
#include "core/pool/effects.h"

namespace warmpool {

absl::StatusOr<LeaseGrant> Grants::Lease(HolderId holder,
                                         const LeaseRequest& request,
                                         Reservation* kept) {
  Reservation reservation = kept == nullptr ? Reservation() : std::move(*kept);
  absl::StatusOr<LeaseGrant> grant =
      LeaseUncounted(holder, request, &reservation);
  if (grant.ok()) return grant;
  const bool tried_again =
      (request.if_ready && absl::IsNotFound(grant.status())) ||
      (!request.is_last_try && LacksRoom(grant.status()));
  if (!tried_again) {
    parts_.RecordRefused(holder, request.bytes, grant.status());
  } else if (kept != nullptr) {
    *kept = std::move(reservation);
  }
  return grant;
}

absl::StatusOr<std::string> Grants::NameFor(const LeaseRequest& request) const {
  if (request.channel.has_value()) {
    if (request.name.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a buffer of channel \"", absl::CHexEscape(*request.channel),
          "\" has no name of its own: leave the name out, or the channel"));
    }
    RETURN_IF_ERROR(ValidateChannelName(*request.channel));
    return ChannelBufferName(*request.channel, parts_.random.Next());
  }
  if (!request.name.has_value()) {
    return absl::StrCat("unnamed-", parts_.random.Next().ToHex());
  }
  RETURN_IF_ERROR(ValidateBufferName(*request.name));
  return *request.name;
}

absl::StatusOr<std::optional<LeaseGrant>> Grants::TryReserve(
    HolderId holder, const RequestId& request_id, Reservation* reservation) {
  LeaseTable::Buffer& buffer = reservation->buffer();
  const SizeClasses& classes = parts_.segments.size_classes();
  const absl::StatusOr<SizeClass> size_class = classes.For(buffer.bytes);
  MutexLock lock(&parts_.book.mutex);
  ASSIGN_OR_RETURN(const LeaseTable::Lease* const answered,
                   parts_.book.Begin(holder, request_id));
  if (answered != nullptr) return parts_.book.GrantOf(*answered);
  const Holder& caller = *parts_.book.table.holders().Find(holder);
  reservation->Begin(&parts_, caller, request_id);
  buffer.uid = caller.uid;
  RETURN_IF_ERROR(parts_.book.table.ReserveName(buffer.uid, buffer.name,
                                                parts_.clock.Now()));
  reservation->HoldName();
  RETURN_IF_ERROR(size_class.status());
  const uint64_t bytes = classes.Bytes(*size_class);
  RETURN_IF_ERROR(parts_.quota.Reserve(buffer.uid, bytes));
  reservation->HoldQuota(buffer.uid, bytes);
  buffer.generation = ++parts_.book.last_generation;
  return std::nullopt;
}

absl::StatusOr<std::optional<LeaseGrant>> Grants::Reserve(
    HolderId holder, const LeaseRequest& request, Reservation* reservation) {
  ASSIGN_OR_RETURN(reservation->buffer().name, NameFor(request));
  reservation->buffer().bytes = request.bytes;
  absl::StatusOr<std::optional<LeaseGrant>> reserved =
      TryReserve(holder, request.request_id, reservation);
  // Segments that the uid has released may count until they are proven. So
  // prove them and try once more.
  if (absl::IsResourceExhausted(reserved.status())) {
    reservation->GiveUp();
    if (parts_.segments.ProvePutOff()) {
      reserved = TryReserve(holder, request.request_id, reservation);
    }
  }
  if (!reserved.ok()) reservation->GiveUp();
  return reserved;
}

absl::StatusOr<LeaseGrant> Grants::LeaseUncounted(HolderId holder,
                                                  const LeaseRequest& request,
                                                  Reservation* reservation) {
  const RequestedTtl requested =
      request.channel.has_value() && !request.ttl.has_value()
          ? absl::ZeroDuration()
          : request.ttl;
  ASSIGN_OR_RETURN(const absl::Duration ttl, parts_.GrantedTtl(requested));
  if (!reservation->empty()) {
    MutexLock lock(&parts_.book.mutex);
    if (parts_.book.draining) {
      return absl::UnavailableError(
          "the daemon is draining: no further lease is granted");
    }
  } else {
    ASSIGN_OR_RETURN(std::optional<LeaseGrant> answered,
                     Reserve(holder, request, reservation));
    if (answered.has_value()) return *std::move(answered);
  }
  LeaseTable::Buffer& buffer = reservation->buffer();
  ASSIGN_OR_RETURN(
      SegmentPool::Acquired acquired,
      parts_.segments.Acquire({buffer.uid, request.bytes,
                               request.require_zeroed, request.if_ready}));
  buffer.segment = std::move(acquired.segment);
  reservation->BytesAreSegments();
  LeaseTable::Lease lease =
      parts_.book.NewLease(holder, request.request_id, request.client_id, ttl,
                           Access::kSharedWritable);
  lease.warmth = acquired.warmth;
  lease.zeroed = buffer.segment.zeroed();
  buffer.granted_at = lease.granted_at;
  const absl::Time expires_at = lease.expires_at;

  Effects effects(&parts_);
  LeaseGrant grant;
  const absl::Status committed = reservation->Commit(
      RecordOf(lease, buffer, reservation->holder()),
      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex) -> absl::Status {
        if (parts_.book.table.holders().Find(holder) == nullptr ||
            parts_.book.draining) {
          return absl::UnavailableError(
              "the daemon began to drain, or the holder's process went, while "
              "the buffer was made");
        }
        const LeaseTable::Lease& added =
            parts_.book.AddBuffer(std::move(buffer), std::move(lease));
        effects.Wake(parts_.book.waits.TakeFirst(
            {added.buffer->name, added.buffer->uid, /*sealed=*/false}));
        grant = parts_.book.GrantOf(added);
        return absl::OkStatus();
      });
  if (!committed.ok()) {
    // The segment must go back before the request is repeated.
    reservation->GiveUp();
    return committed;
  }
  effects.ScheduleTick(expires_at);
  return grant;
}

}  // namespace warmpool
