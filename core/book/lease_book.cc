#include "core/book/lease_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/channel_name.h"
#include "core/base/status_macros.h"
#include "core/book/journal_record.h"

namespace warmpool {
namespace {

// What the end of a time to live means for a lease.
EndCause CauseOf(EndCause cause, LeaseKind kind) {
  if (cause != EndCause::kExpired) return cause;
  switch (kind) {
    case LeaseKind::kTicket: return EndCause::kUnclaimed;
    case LeaseKind::kLingering: return EndCause::kLingered;
    case LeaseKind::kHeld: break;
  }
  return cause;
}

}  // namespace

const Holder& LeaseBook::PoolHolder() {
  static const Holder* const pool = [] {
    auto* const holder = new Holder;
    holder->id = kPoolHolder;
    return holder;
  }();
  return *pool;
}

LeaseBook::LeaseBook(const SegmentDirectory* directory, const Clock* clock,
                     RandomSource* random, UidQuota* quota,
                     BufferEvents* events)
    : directory(*directory),
      clock(*clock),
      random(*random),
      quota(*quota),
      events(*events) {
  MutexLock lock(&mutex);
  table.AddHolder(PoolHolder());
}

LeaseTable::Lease LeaseBook::NewLease(HolderId holder,
                                      const RequestId& request_id,
                                      const ClientId& client_id,
                                      absl::Duration ttl, Access access) const {
  LeaseTable::Lease lease;
  lease.id = random.Next();
  lease.holder = holder;
  lease.request_id = request_id;
  lease.client_id = client_id;
  lease.access = access;
  lease.ttl = ttl;
  lease.granted_at = clock.Now();
  lease.touched_at = lease.granted_at;
  if (ttl > absl::ZeroDuration()) lease.expires_at = lease.granted_at + ttl;
  return lease;
}

LeaseGrant LeaseBook::GrantOf(const LeaseTable::Lease& lease) const {
  const LeaseTable::Buffer& buffer = *lease.buffer;
  LeaseGrant grant;
  grant.id = lease.id;
  grant.generation = buffer.generation;
  grant.buffer_name = buffer.name;
  grant.path = directory.PathOf(buffer.segment);
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

absl::StatusOr<const Holder*> LeaseBook::FindHolder(HolderId holder) const {
  const Holder* const found = table.holders().Find(holder);
  if (found == nullptr) {
    return absl::UnavailableError("the holder's process is gone");
  }
  return found;
}

absl::StatusOr<const LeaseTable::Lease*> LeaseBook::Begin(
    HolderId holder, const RequestId& request_id) {
  RETURN_IF_ERROR(FindHolder(holder).status());
  ASSIGN_OR_RETURN(const LeaseTable::Lease* const answered,
                   table.Begin(holder, request_id));
  if (answered == nullptr) {
    if (!draining) return nullptr;
    table.Abandon(holder, request_id);
    return absl::UnavailableError(
        "the daemon is draining: no further lease is granted");
  }
  ++counts.replayed;
  if (answered->state == LeaseState::kRecovering) {
    table.Renew(answered->id, answered->ttl, clock.Now());
  }
  return answered;
}

absl::Status LeaseBook::MayCommit(HolderId holder, const LeaseId& id) const {
  if (table.holders().Find(holder) == nullptr || revoked) {
    return absl::UnavailableError(
        "the holder's process is gone, or every lease was revoked");
  }
  if (!absl::IsNotFound(
          table.Find(holder, {id, 0}, /*as_admin=*/true).status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("lease ", id.ToHex(), " was asserted twice at once"));
  }
  return absl::OkStatus();
}

const LeaseTable::Lease& LeaseBook::AddBuffer(LeaseTable::Buffer buffer,
                                              LeaseTable::Lease lease) {
  const LeaseTable::Lease& added =
      table.AddBuffer(std::move(buffer), std::move(lease));
  Publish(BufferEvents::Kind::kCreated, *added.buffer);
  return added;
}

bool LeaseBook::Renew(const LeaseTable::Lease& lease, absl::Duration ttl,
                      absl::Time now) {
  // A later daemon gives each lease a full time to live anyway, so the journal
  // needs a record only if the time to live changes.
  const bool news = ttl != lease.ttl;
  table.Renew(lease.id, ttl, now);
  ++counts.renewed;
  return news;
}

const LeaseTable::Lease* LeaseBook::FindLive(const LeaseId& id) const {
  return table.Find(0, {id, 0}, /*as_admin=*/true).value_or(nullptr);
}

void LeaseBook::CountEnd(EndCause cause) {
  switch (cause) {
    case EndCause::kUnclaimed: ++counts.unclaimed; break;
    case EndCause::kLingered: ++counts.linger_ended; break;
    case EndCause::kReleased: ++counts.released; break;
    case EndCause::kExpired: ++counts.expired; break;
    case EndCause::kRevoked: ++counts.revoked; break;
    case EndCause::kHolderDied: ++counts.holder_died; break;
    case EndCause::kUnused: ++counts.unused; break;
    case EndCause::kHandedOver: ++counts.handed_over; break;
  }
}

uid_t LeaseBook::PayerOf(const LeaseTable::Lease& lease) const {
  return lease.kind == LeaseKind::kHeld
             ? table.holders().Find(lease.holder)->uid
             : lease.buffer->uid;
}

LeaseTable::Ended LeaseBook::End(const LeaseId& id, EndCause cause,
                                 bool for_all) {
  const LeaseTable::Lease& lease = table.LeaseOf(id);
  LeaseTable::Buffer& buffer = *lease.buffer;
  cause = CauseOf(cause, lease.kind);
  CountEnd(cause);
  absl::Duration linger = lease.linger;
  // The holder may not know that the lease has ended, and may still open the
  // file.
  if (lease.kind == LeaseKind::kHeld && cause != EndCause::kReleased &&
      cause != EndCause::kHandedOver) {
    buffer.segment.set_name_is_stale();
  }
  // The last member may have given the buffer to another that has not opened it
  // yet.
  if (!for_all && cause == EndCause::kReleased &&
      !ChannelOf(buffer.name).empty() && buffer.held_leases == 1) {
    linger = kChannelLinger;
  }
  const bool lingers =
      linger > absl::ZeroDuration() && cause != EndCause::kRevoked && !revoked;
  std::shared_ptr<const Process> maker;
  if (lingers) {
    maker = std::make_shared<const Process>(
        table.holders().Find(lease.holder)->process());
  }
  quota.ReleaseLease(PayerOf(lease));
  LeaseTable::Ended ended = table.End(id, cause);
  if (lingers) Linger(&ended, linger, std::move(maker));
  return ended;
}

void LeaseBook::Linger(LeaseTable::Ended* ended, absl::Duration linger,
                       std::shared_ptr<const Process> maker) {
  LeaseTable::Buffer* const buffer = ended->buffer;
  LeaseTable::Lease lease = NewLease(kPoolHolder, random.Next(), ClientId(),
                                     linger, Access::kReadOnly);
  lease.kind = LeaseKind::kLingering;
  lease.maker = std::move(maker);
  lease.warmth = Warmth::kWarm;
  ended->successor = RecordOf(lease, *buffer, PoolHolder());
  quota.Force(buffer->uid, 0);
  table.AddLease(buffer, std::move(lease));
  ++counts.lingered;
}

void LeaseBook::EndForAll(const LeaseId& id, EndCause cause,
                          std::vector<LeaseTable::Ended>* ended) {
  const LeaseTable::Lease& lease = table.LeaseOf(id);
  if (lease.kind == LeaseKind::kHeld &&
      !ChannelOf(lease.buffer->name).empty()) {
    const std::vector<LeaseId> members(lease.buffer->leases.begin(),
                                       lease.buffer->leases.end());
    // These are recorded first. If the daemon is killed between the records,
    // the dead member's lease is left, and the next daemon ends all others
    // again.
    for (const LeaseId& member : members) {
      if (member != id) ended->push_back(End(member, EndCause::kRevoked));
    }
  }
  ended->push_back(End(id, cause, /*for_all=*/true));
}

size_t LeaseBook::EndSome(absl::Span<const LeaseId> leases, EndCause cause,
                          std::vector<LeaseTable::Ended>* ended) {
  size_t done = 0;
  for (; done < leases.size() && done < kLeasesAtOnce &&
         ended->size() < kLeasesAtOnce;
       ++done) {
    // The lease may have ended since it was listed.
    if (FindLive(leases[done]) == nullptr) continue;
    EndForAll(leases[done], cause, ended);
  }
  return done;
}

const LeaseTable::Lease& LeaseBook::Exchange(const LeaseId& ended,
                                             LeaseTable::Lease lease) {
  LeaseTable::Buffer* const buffer = End(ended, EndCause::kHandedOver).buffer;
  quota.Force(buffer->uid, 0);
  const LeaseTable::Lease& added = table.AddLease(buffer, std::move(lease));
  // The lease keeps the buffer.
  (void)Unpin(buffer);
  return added;
}

std::optional<Segment> LeaseBook::Unpin(LeaseTable::Buffer* buffer) {
  if (LeaseTable::GoesWhenUnpinned(*buffer)) {
    Publish(BufferEvents::Kind::kEnded, *buffer);
  }
  return table.Unpin(buffer);
}

absl::Time LeaseBook::NextExpiry() const {
  return std::max(table.NextExpiry(), expiry_pause_end);
}

void LeaseBook::Publish(BufferEvents::Kind kind,
                        const LeaseTable::Buffer& buffer) {
  events.Publish(kind, buffer.name, buffer.uid, buffer.generation,
                 buffer.bytes);
}

absl::Status EndedMeanwhile(const LeaseId& id) {
  return absl::FailedPreconditionError(absl::StrCat(
      "lease ", id.ToHex(), " ended while this request was carried out"));
}

}  // namespace warmpool
