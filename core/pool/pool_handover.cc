// How a buffer goes from one holder to another: sealed, for many who read it;
// by a ticket, to one who has it alone from then on; or kept for a while, for
// those who come after its holder has gone.
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/memory/directory/segment_name.h"
#include "core/pool/pool.h"

namespace warmpool {

absl::StatusOr<Pool::HandOver> Pool::BeginHandOverLocked(
    HolderId holder, const LeaseRef& ref, uint64_t bytes,
    absl::string_view deed) {
  const absl::StatusOr<const LeaseTable::Lease*> found =
      table_.Find(holder, ref, /*as_admin=*/false);
  if (!found.ok()) return found.status();
  if (*found == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("lease ", ref.id.ToHex(), " was released"));
  }
  LeaseTable::Buffer& buffer = *(*found)->buffer;
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
  // Of an attachment that is being granted, or another hand-over.
  if (buffer.pins > 0) {
    return absl::AbortedError(
        absl::StrCat("another request that concerns buffer \"", buffer.name,
                     "\" is under way: repeat this one"));
  }
  table_.Pin(&buffer);
  buffer.handing_over = true;
  return HandOver{&buffer, **found, *table_.FindHolder((*found)->holder),
                  bytes == 0 ? buffer.bytes : bytes};
}

LeaseRecord Pool::RecordOf(const LeaseTable::Lease& lease,
                           const HandOver& begun, const Holder& holder) {
  LeaseRecord record = RecordOf(lease, *begun.buffer, holder);
  record.bytes = begun.bytes;
  return record;
}

const LeaseTable::Lease* Pool::EndHandOverLocked(const HandOver& begun) {
  begun.buffer->handing_over = false;
  return FindLiveLocked(begun.lease.id);
}

void Pool::UnpinAndReturn(LeaseTable::Buffer* buffer) {
  std::optional<Segment> segment;
  {
    MutexLock lock(&mutex_);
    segment = UnpinLocked(buffer);
  }
  events_.Wake();
  if (segment.has_value()) segments_.Return(*std::move(segment));
}

absl::Status Pool::Seal(HolderId holder, const LeaseRef& ref,
                        const SealRequest& request) {
  const absl::Duration linger = request.linger;
  if (linger < absl::ZeroDuration() || linger > options_.max_ttl) {
    return absl::InvalidArgumentError(absl::StrCat(
        "linger of ", absl::FormatDuration(linger), " is not within 0 and ",
        absl::FormatDuration(options_.max_ttl), " (--max_ttl)"));
  }
  absl::StatusOr<HandOver> begun;
  {
    MutexLock lock(&mutex_);
    const LeaseTable::Lease* const lease =
        table_.Find(holder, ref, /*as_admin=*/false).value_or(nullptr);
    // Asked again, as its answer was lost.
    if (lease != nullptr && lease->buffer->sealed) return absl::OkStatus();
    begun = BeginHandOverLocked(holder, ref, request.bytes, "sealed");
  }
  if (!begun.ok()) return begun.status();
  LeaseTable::Buffer* const buffer = begun->buffer;
  absl::Status status = directory_.Seal(&buffer->segment, request.share_with);
  if (status.ok()) {
    LeaseRecord record = RecordOf(begun->lease, *begun, begun->holder);
    record.access = Access::kReadOnly;
    record.sealed = true;
    record.linger = linger;
    record.share_with = request.share_with;
    status = Replace(ref.id, std::move(record));
    // Its holder goes on writing to it.
    if (!status.ok()) (void)directory_.Unseal(&buffer->segment);
  }
  Woken woken;
  {
    MutexLock lock(&mutex_);
    const LeaseTable::Lease* const lease = EndHandOverLocked(*begun);
    if (status.ok() && lease == nullptr) status = EndedMeanwhile(ref.id);
    if (status.ok()) {
      table_.Seal(ref.id, request);
      buffer->bytes = begun->bytes;
      PublishLocked(BufferEvents::Kind::kSealed, *buffer);
      ++counts_.sealed;
      woken = TakeFirstLocked({buffer->name, buffer->uid, /*sealed=*/true});
    }
  }
  UnpinAndReturn(buffer);
  Wake(std::move(woken));
  return status;
}

absl::Status Pool::Resize(HolderId holder, const LeaseRef& ref,
                          uint64_t bytes) {
  absl::StatusOr<HandOver> begun;
  {
    MutexLock lock(&mutex_);
    const LeaseTable::Lease* const lease =
        table_.Find(holder, ref, /*as_admin=*/false).value_or(nullptr);
    if (lease == nullptr) return EndedMeanwhile(ref.id);
    const LeaseTable::Buffer& buffer = *lease->buffer;
    if (bytes == buffer.bytes || buffer.sealed || buffer.leases.size() > 1 ||
        buffer.pins > 0 || !ChannelOf(buffer.name).empty()) {
      return absl::OkStatus();
    }
    begun = BeginHandOverLocked(holder, ref, bytes, "renewed");
  }
  if (!begun.ok()) return begun.status();
  LeaseTable::Buffer* const buffer = begun->buffer;
  absl::Status status =
      Replace(ref.id, RecordOf(begun->lease, *begun, begun->holder));
  {
    MutexLock lock(&mutex_);
    const LeaseTable::Lease* const lease = EndHandOverLocked(*begun);
    if (status.ok() && lease == nullptr) status = EndedMeanwhile(ref.id);
    if (status.ok()) buffer->bytes = begun->bytes;
  }
  UnpinAndReturn(buffer);
  return status;
}

absl::Status Pool::EndedMeanwhile(const LeaseId& id) {
  return absl::FailedPreconditionError(absl::StrCat(
      "lease ", id.ToHex(), " ended while this request was carried out"));
}

absl::Status Pool::Replace(const LeaseId& replaced, LeaseRecord record) {
  absl::Status kept = journal_.Replace(replaced, std::move(record));
  AccountJournal();
  // Its end was recorded while this was on the way.
  return absl::IsNotFound(kept) ? EndedMeanwhile(replaced) : kept;
}

absl::StatusOr<absl::Duration> Pool::MakeTicket(HolderId holder,
                                                const LeaseRef& ref,
                                                const LeaseId& ticket,
                                                RequestedTtl requested,
                                                uint64_t bytes) {
  // A ticket that nobody claims would keep the buffer for ever.
  if (requested.has_value() &&
      (*requested <= absl::ZeroDuration() || *requested > options_.max_ttl)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a ticket's time to live of ", absl::FormatDuration(*requested),
        " is not above 0 and up to ", absl::FormatDuration(options_.max_ttl),
        " (--max_ttl)"));
  }
  if (ticket == LeaseId()) {
    return absl::InvalidArgumentError(
        "the ticket is all zeros: make it of 16 random bytes");
  }
  const absl::StatusOr<absl::Duration> ttl =
      GrantedTtl(requested.value_or(kDefaultTicketTtl));
  if (!ttl.ok()) return ttl.status();
  absl::StatusOr<HandOver> begun;
  {
    MutexLock lock(&mutex_);
    const absl::StatusOr<const LeaseTable::Lease*> known =
        table_.Find(0, {ticket, 0}, /*as_admin=*/true);
    // Asked again, as its answer was lost.
    if (known.ok() && *known != nullptr &&
        (*known)->kind == LeaseKind::kTicket &&
        (*known)->request_id == ref.id) {
      return (*known)->ttl;
    }
    if (!absl::IsNotFound(known.status())) {
      return absl::AlreadyExistsError(absl::StrCat(
          "ticket ", ticket.ToHex(), " was given before: make another"));
    }
    begun = BeginHandOverLocked(holder, ref, bytes, "handed over by a ticket");
  }
  if (!begun.ok()) return begun.status();
  LeaseTable::Buffer* const buffer = begun->buffer;
  // By its request id a repetition is known, by a later daemon too.
  LeaseTable::Lease lease = NewLease(kPoolHolder, /*request_id=*/ref.id,
                                     ClientId(), *ttl, Access::kSharedWritable);
  lease.id = ticket;
  lease.kind = LeaseKind::kTicket;
  lease.maker = std::make_shared<const Process>(begun->holder.process());
  lease.warmth = Warmth::kWarm;
  const absl::Time expires_at = lease.expires_at;
  absl::Status status = Replace(ref.id, RecordOf(lease, *begun, PoolHolder()));
  const bool kept = status.ok();
  {
    MutexLock lock(&mutex_);
    const LeaseTable::Lease* const held = EndHandOverLocked(*begun);
    if (kept && held == nullptr) status = EndedMeanwhile(ref.id);
    if (status.ok()) status = MayCommitLocked(holder, ticket);
    if (status.ok()) {
      ExchangeLocked(ref.id, std::move(lease));
      buffer->bytes = begun->bytes;
      ++counts_.tickets;
    }
  }
  // Its record is the ticket's by then, so it ends with that.
  if (kept && !status.ok()) EndReplaced(ref.id, ticket);
  UnpinAndReturn(buffer);
  if (!status.ok()) return status;
  segments_.ScheduleTick(expires_at);
  return *ttl;
}

const LeaseTable::Lease& Pool::ExchangeLocked(const LeaseId& ended,
                                              LeaseTable::Lease lease) {
  LeaseTable::Buffer* const buffer =
      EndLocked(ended, EndCause::kHandedOver).buffer;
  quota_.Force(buffer->uid, 0);
  const LeaseTable::Lease& added = table_.AddLease(buffer, std::move(lease));
  (void)UnpinLocked(buffer);
  return added;
}

absl::StatusOr<LeaseGrant> Pool::Claim(HolderId holder,
                                       const ClaimRequest& request) {
  absl::StatusOr<LeaseGrant> grant = ClaimUncounted(holder, request);
  if (!grant.ok()) RecordRefused(holder, /*bytes=*/0, grant.status());
  return grant;
}

absl::StatusOr<LeaseGrant> Pool::ClaimUncounted(HolderId holder,
                                                const ClaimRequest& request) {
  const absl::StatusOr<absl::Duration> ttl = GrantedTtl(request.ttl);
  if (!ttl.ok()) return ttl.status();
  LeaseTable::Lease lease =
      NewLease(holder, request.request_id, request.client_id, *ttl,
               Access::kSharedWritable);
  lease.warmth = Warmth::kWarm;
  absl::StatusOr<HandOver> begun;
  uint64_t generation = 0;
  Holder caller;
  {
    MutexLock lock(&mutex_);
    const absl::StatusOr<const LeaseTable::Lease*> repeated =
        BeginLocked(holder, request.request_id);
    if (!repeated.ok()) return repeated.status();
    if (*repeated != nullptr) return GrantOf(**repeated);
    caller = *table_.FindHolder(holder);
    begun = BeginClaimLocked(caller, request.ticket);
    if (!begun.ok()) table_.Abandon(holder, request.request_id);
    generation = ++last_generation_;
  }
  if (!begun.ok()) return begun.status();
  LeaseTable::Buffer* const buffer = begun->buffer;
  absl::Status status = RenameForClaim(buffer);
  if (status.ok()) status = ProveForClaim(buffer);
  if (status.ok()) {
    LeaseRecord record = RecordOf(lease, *buffer, caller);
    record.generation = generation;
    status = Replace(request.ticket, std::move(record));
  }
  const bool kept = status.ok();
  const LeaseId id = lease.id;
  const absl::Time expires_at = lease.expires_at;
  LeaseGrant grant;
  {
    MutexLock lock(&mutex_);
    const LeaseTable::Lease* const ticket = EndHandOverLocked(*begun);
    if (kept && ticket == nullptr) status = EndedMeanwhile(request.ticket);
    if (status.ok()) status = MayCommitLocked(holder, id);
    if (status.ok()) {
      buffer->generation = generation;
      ++counts_.claimed;
      grant = GrantOf(ExchangeLocked(request.ticket, std::move(lease)));
    } else {
      table_.Abandon(holder, request.request_id);
    }
  }
  if (!status.ok()) {
    if (kept) EndReplaced(request.ticket, id);
    UnpinAndReturn(buffer);
    return status;
  }
  UnpinAndReturn(buffer);
  segments_.ScheduleTick(expires_at);
  return grant;
}

absl::StatusOr<Pool::HandOver> Pool::BeginClaimLocked(const Holder& caller,
                                                      const LeaseId& ticket) {
  const absl::StatusOr<const LeaseTable::Lease*> found =
      table_.Find(kPoolHolder, {ticket, 0}, /*as_admin=*/false);
  // Another holder's lease is no more a ticket than one that never was.
  if (absl::IsNotFound(found.status()) ||
      absl::IsPermissionDenied(found.status())) {
    return absl::NotFoundError(
        "there is no such ticket: it was never made, or ended long ago");
  }
  if (!found.ok()) return found.status();
  if (*found == nullptr || (*found)->kind != LeaseKind::kTicket) {
    return absl::NotFoundError("this is a lease's id, and no ticket");
  }
  if ((*found)->buffer->uid != caller.uid) {
    return absl::PermissionDeniedError(
        absl::StrCat("the ticket is for a buffer of uid ",
                     (*found)->buffer->uid, ", not of uid ", caller.uid));
  }
  return BeginHandOverLocked(kPoolHolder, {ticket, 0}, /*bytes=*/0, "claimed");
}

absl::Status Pool::RenameForClaim(LeaseTable::Buffer* buffer) {
  std::string name;
  {
    MutexLock lock(&mutex_);
    if (!buffer->segment.name_is_stale()) return absl::OkStatus();
    name = NextSegmentName(buffer->segment.file_name());
  }
  const absl::Status renamed = directory_.RenameFile(buffer->segment, name);
  if (!renamed.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "buffer \"", buffer->name, "\" can't be claimed: ", renamed.message()));
  }
  MutexLock lock(&mutex_);
  buffer->segment.set_file_name(std::move(name));
  return absl::OkStatus();
}

absl::Status Pool::ProveForClaim(LeaseTable::Buffer* buffer) {
  // A seal whose undoing failed left the file read-only.
  const Verdict verdict = buffer->segment.sealed()
                              ? directory_.Unseal(&buffer->segment)
                              : directory_.Prove(buffer->segment);
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

void Pool::EndReplaced(const LeaseId& replaced, const LeaseId& by) {
  journal_.End(by);
  EndEach({replaced}, EndCause::kRevoked);
}

const Holder& Pool::PoolHolder() {
  static const Holder* const pool = [] {
    auto* const holder = new Holder;
    holder->id = kPoolHolder;
    return holder;
  }();
  return *pool;
}

void Pool::LingerLocked(LeaseTable::Ended* ended, absl::Duration linger,
                        std::shared_ptr<const Process> maker) {
  LeaseTable::Buffer* const buffer = ended->buffer;
  LeaseTable::Lease lease = NewLease(kPoolHolder, random_.Next(), ClientId(),
                                     linger, Access::kReadOnly);
  lease.kind = LeaseKind::kLingering;
  lease.maker = std::move(maker);
  lease.warmth = Warmth::kWarm;
  ended->successor = RecordOf(lease, *buffer, PoolHolder());
  quota_.Force(buffer->uid, 0);
  table_.AddLease(buffer, std::move(lease));
  ++counts_.lingered;
}

}  // namespace warmpool
