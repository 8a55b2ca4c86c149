#include "core/pool/assertions.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/book/journal_record.h"
#include "core/lease/lease_names.h"
#include "core/pool/effects.h"

namespace warmpool {
namespace {

// All uids share one sequence of generations. An asserted generation may exceed
// the journal's highest by at most this margin. A daemon that lost its journal
// would reach it after twelve days at a million grants a second.
constexpr uint64_t kGenerationMargin = uint64_t{1} << 40;

}  // namespace

absl::StatusOr<absl::Duration> Assertions::Assert(
    HolderId holder, const AssertedLease& asserted) {
  ASSIGN_OR_RETURN(const absl::Duration ttl, parts_.GrantedTtl(asserted.ttl));
  RETURN_IF_ERROR(ValidateGivenName(asserted.buffer_name));
  if (asserted.sealed && asserted.access != Access::kReadOnly) {
    return absl::InvalidArgumentError(
        absl::StrCat("buffer \"", asserted.buffer_name,
                     "\" is sealed: there is no lease to write to it"));
  }
  Reservation reservation;
  Plan plan;
  {
    MutexLock lock(&parts_.book.mutex);
    ASSIGN_OR_RETURN(plan, Reserve(holder, asserted, ttl, &reservation));
  }
  switch (plan.on) {
    case Plan::On::kLease:
      if (plan.renewal_is_news) parts_.journal.Renew(asserted.id, ttl);
      break;
    case Plan::On::kBuffer:
      RETURN_IF_ERROR(attachments_
                          .Commit(LeaseFrom(holder, asserted, ttl), plan.buffer,
                                  &LeaseCounts::asserted, &reservation)
                          .status());
      break;
    case Plan::On::kLeftover:
      RETURN_IF_ERROR(TakeUpLeftover(asserted, ttl, &reservation));
      break;
  }
  if (ttl > absl::ZeroDuration()) {
    parts_.segments.ScheduleTick(parts_.clock.Now() + ttl);
  }
  return ttl;
}

absl::StatusOr<Assertions::Plan> Assertions::Reserve(
    HolderId holder, const AssertedLease& asserted, absl::Duration ttl,
    Reservation* reservation) {
  ASSIGN_OR_RETURN(const Holder* const caller, parts_.book.FindHolder(holder));
  const uint64_t last_generation = parts_.book.last_generation;
  if (asserted.generation > last_generation &&
      asserted.generation - last_generation > kGenerationMargin) {
    return absl::InvalidArgumentError(
        absl::StrCat("generation ", asserted.generation,
                     " is none that was ever given: the "
                     "last one known is ",
                     last_generation));
  }
  const absl::Time now = parts_.clock.Now();
  const absl::StatusOr<const LeaseTable::Lease*> known = parts_.book.table.Find(
      holder, {asserted.id, asserted.generation}, /*as_admin=*/false);
  if (known.ok() && *known != nullptr) {
    return Plan{.on = Plan::On::kLease,
                .renewal_is_news = parts_.book.Renew(**known, ttl, now)};
  }
  if (known.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("lease ", asserted.id.ToHex(), " was released"));
  }
  if (!absl::IsNotFound(known.status())) return known.status();
  ASSIGN_OR_RETURN(const LeaseTable::Lease* const answered,
                   parts_.book.table.Begin(holder, asserted.request_id));
  if (answered != nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("request id ", asserted.request_id.ToHex(),
                     " was answered with another lease"));
  }
  reservation->Begin(&parts_, *caller, asserted.request_id);
  LeaseTable::Buffer* const buffer =
      parts_.book.table.FindBuffer(caller->uid, asserted.buffer_name);
  if (buffer != nullptr) {
    RETURN_IF_ERROR(ReserveOnBuffer(buffer, asserted, reservation));
    return Plan{.on = Plan::On::kBuffer, .buffer = buffer};
  }
  RETURN_IF_ERROR(
      parts_.book.table.ReserveName(caller->uid, asserted.buffer_name, now));
  LeaseTable::Buffer& leftover = reservation->buffer();
  leftover.name = asserted.buffer_name;
  leftover.uid = caller->uid;
  leftover.bytes = asserted.bytes;
  leftover.generation = asserted.generation;
  leftover.sealed = asserted.sealed;
  reservation->HoldName();
  return Plan{.on = Plan::On::kLeftover};
}

absl::Status Assertions::ReserveOnBuffer(LeaseTable::Buffer* buffer,
                                         const AssertedLease& asserted,
                                         Reservation* reservation) {
  if (buffer->segment.file_name() != asserted.file_name ||
      buffer->generation != asserted.generation) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the name \"", asserted.buffer_name, "\" is another buffer's by now"));
  }
  if (buffer->handing_over || buffer->sealed != asserted.sealed ||
      parts_.book.table.LeaseOf(*buffer->leases.begin()).kind ==
          LeaseKind::kTicket) {
    return absl::FailedPreconditionError(absl::StrCat(
        "buffer \"", asserted.buffer_name, "\" is ",
        buffer->sealed ? "" : "not ", "sealed, or is being handed over"));
  }
  RETURN_IF_ERROR(buffer->MayHaveAnotherLease());
  RETURN_IF_ERROR(parts_.quota.Reserve(buffer->uid, 0));
  reservation->HoldQuota(buffer->uid, 0);
  parts_.book.table.Pin(buffer);
  reservation->HoldPin(buffer);
  return absl::OkStatus();
}

absl::Status Assertions::TakeUpLeftover(const AssertedLease& asserted,
                                        absl::Duration ttl,
                                        Reservation* reservation) {
  LeaseTable::Buffer& buffer = reservation->buffer();
  std::optional<Segment> segment =
      parts_.segments.TakeQuarantined(asserted.file_name, buffer.uid);
  if (!segment.has_value()) {
    return absl::NotFoundError(absl::StrCat("no segment ", asserted.file_name,
                                            " is left of lease ",
                                            asserted.id.ToHex()));
  }
  buffer.segment = *std::move(segment);
  const absl::Status status = CommitLeftover(asserted, ttl, reservation);
  // Another lease may have a better claim to the segment.
  if (!status.ok()) {
    Segment leftover = std::move(buffer.segment);
    reservation->GiveUp();
    parts_.segments.PutBackLeftover(std::move(leftover));
  }
  return status;
}

absl::Status Assertions::CommitLeftover(const AssertedLease& asserted,
                                        absl::Duration ttl,
                                        Reservation* reservation) {
  LeaseTable::Buffer& buffer = reservation->buffer();
  if (asserted.bytes == 0 || asserted.bytes > buffer.segment.bytes()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "segment ", asserted.file_name, " has ", buffer.segment.bytes(),
        " bytes, the lease says ", asserted.bytes));
  }
  if (asserted.sealed && !buffer.segment.sealed()) {
    return absl::FailedPreconditionError(
        absl::StrCat("segment ", asserted.file_name,
                     " is not sealed, the lease says it is"));
  }
  Effects effects(&parts_);
  const Holder& holder = reservation->holder();
  LeaseTable::Lease lease = LeaseFrom(holder.id, asserted, ttl);
  return reservation->Commit(
      RecordOf(lease, buffer, holder),
      [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(parts_.book.mutex) -> absl::Status {
        RETURN_IF_ERROR(parts_.book.MayCommit(holder.id, asserted.id));
        buffer.granted_at = lease.granted_at;
        parts_.book.last_generation =
            std::max(parts_.book.last_generation, buffer.generation);
        ++parts_.book.counts.asserted;
        parts_.quota.Force(buffer.uid, buffer.segment.bytes());
        const LeaseTable::Lease& added =
            parts_.book.AddBuffer(std::move(buffer), std::move(lease));
        effects.Wake(parts_.book.waits.TakeFirst(
            {added.buffer->name, added.buffer->uid, added.buffer->sealed}));
        return absl::OkStatus();
      });
}

LeaseTable::Lease Assertions::LeaseFrom(HolderId holder,
                                        const AssertedLease& asserted,
                                        absl::Duration ttl) const {
  LeaseTable::Lease lease = parts_.book.NewLease(
      holder, asserted.request_id, asserted.client_id, ttl, asserted.access);
  lease.id = asserted.id;
  lease.warmth = Warmth::kWarm;
  return lease;
}

}  // namespace warmpool
