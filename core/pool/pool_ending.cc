// How leases end. Many at once end a few at a time: a process may have a
// hundred thousand of them, and everybody else waits for the lock meanwhile.
#include <algorithm>
#include <utility>

#include "absl/types/span.h"
#include "core/base/channel_name.h"
#include "core/pool/pool.h"

namespace warmpool {
namespace {

// What is looked at or ended in one hold of the lock: about a microsecond each.
constexpr size_t kLeasesAtOnce = 64;

// Calls `act` with a few of them at a time, as a span.
template <typename Leases, typename Act>
void ForAFew(const Leases& leases, Act act) {
  const auto all = absl::MakeConstSpan(leases);
  for (size_t begin = 0; begin < all.size(); begin += kLeasesAtOnce) {
    if (begin > 0) GiveWay();
    act(all.subspan(begin, kLeasesAtOnce));
  }
}

}  // namespace

const LeaseTable::Lease* Pool::FindLiveLocked(const LeaseId& id) const {
  return table_.Find(0, {id, 0}, /*as_admin=*/true).value_or(nullptr);
}

std::vector<absl::Status> Pool::Release(HolderId holder,
                                        absl::Span<const LeaseRef> leases,
                                        bool revoke) {
  if (revoke) {
    const absl::Status permitted = RequireAdmin(holder, "revoke leases");
    if (!permitted.ok()) {
      return std::vector<absl::Status>(leases.size(), permitted);
    }
  }
  std::vector<absl::Status> statuses;
  statuses.reserve(leases.size());
  ForAFew(leases, [&](absl::Span<const LeaseRef> few) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      for (const LeaseRef& ref : few) {
        const absl::StatusOr<const LeaseTable::Lease*> lease =
            table_.Find(holder, ref, revoke);
        statuses.push_back(lease.status());
        if (!lease.ok() || *lease == nullptr) continue;
        const bool own = (*lease)->holder == holder;
        if (own && !ref.for_all_members) {
          ended.push_back(EndLocked(ref.id, EndCause::kReleased));
        } else {
          EndForAllLocked(ref.id,
                          own ? EndCause::kReleased : EndCause::kRevoked,
                          &ended);
        }
      }
    }
    Finish(std::move(ended));
  });
  return statuses;
}

size_t Pool::EndEach(const std::vector<LeaseId>& leases, EndCause cause) {
  size_t count = 0;
  ForAFew(leases, [&](absl::Span<const LeaseId> few) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      for (const LeaseId& id : few) {
        // It may have ended since they were listed.
        if (FindLiveLocked(id) != nullptr) EndForAllLocked(id, cause, &ended);
      }
    }
    count += ended.size();
    Finish(std::move(ended));
  });
  return count;
}

void Pool::RemoveHolder(HolderId id) {
  std::vector<LeaseId> leases;
  {
    MutexLock lock(&mutex_);
    leases = table_.LeasesOf(id);
  }
  EndEach(leases, EndCause::kHolderDied);
  std::vector<LeaseTable::Ended> ended;
  AttachWaits::Wakes wakes;
  {
    MutexLock lock(&mutex_);
    // Those of requests that were under way.
    for (const LeaseId& lease : table_.LeasesOf(id)) {
      if (FindLiveLocked(lease) == nullptr) continue;
      EndForAllLocked(lease, EndCause::kHolderDied, &ended);
    }
    table_.RemoveHolder(id);
    wakes = waits_.TakeOf(id);
  }
  Finish(std::move(ended));
  Wake(wakes);
}

bool Pool::HasLeases(HolderId id) const {
  MutexLock lock(&mutex_);
  return table_.HasLeases(id);
}

size_t Pool::EndUnusedLeases(HolderId id, absl::Time since) {
  std::vector<LeaseId> leases;
  {
    MutexLock lock(&mutex_);
    leases = table_.LeasesOf(id);
  }
  size_t count = 0;
  ForAFew(leases, [&](absl::Span<const LeaseId> few) {
    count += EndUnused(few, since);
  });
  return count;
}

size_t Pool::EndUnused(absl::Span<const LeaseId> leases, absl::Time since) {
  struct Candidate {
    LeaseId id;
    LeaseTable::Buffer* buffer;
    bool unused = false;
  };
  std::vector<Candidate> candidates;
  {
    MutexLock lock(&mutex_);
    for (const LeaseId& id : leases) {
      const LeaseTable::Lease* const lease = FindLiveLocked(id);
      if (lease == nullptr || lease->touched_at >= since ||
          lease->buffer->handing_over) {
        continue;
      }
      table_.Pin(lease->buffer);
      candidates.push_back({id, lease->buffer});
    }
  }
  for (Candidate& candidate : candidates) {
    candidate.unused =
        directory_.Prove(candidate.buffer->segment) != Verdict::kInUse;
  }
  std::vector<LeaseTable::Ended> ended;
  std::vector<Segment> unpinned;
  {
    MutexLock lock(&mutex_);
    for (const Candidate& candidate : candidates) {
      const LeaseTable::Lease* const lease = FindLiveLocked(candidate.id);
      // Its holder may have shown up meanwhile, to open it.
      if (candidate.unused && lease != nullptr && lease->touched_at < since) {
        EndForAllLocked(candidate.id, EndCause::kUnused, &ended);
      }
      std::optional<Segment> segment = UnpinLocked(candidate.buffer);
      if (segment.has_value()) unpinned.push_back(*std::move(segment));
    }
  }
  events_.Wake();
  const size_t count = ended.size();
  Finish(std::move(ended));
  for (Segment& segment : unpinned) segments_.Return(std::move(segment));
  return count;
}

size_t Pool::RevokeAll() {
  std::vector<LeaseId> leases;
  {
    MutexLock lock(&mutex_);
    revoked_ = true;
    leases = table_.AllLeases();
  }
  const size_t count = EndEach(leases, EndCause::kRevoked);
  segments_.EndQuarantined();
  return count;
}

void Pool::EndExpired() {
  for (bool more = true; more;) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      for (const LeaseId& id : table_.Expired(clock_.Now(), kLeasesAtOnce)) {
        if (FindLiveLocked(id) == nullptr) continue;
        EndForAllLocked(id, EndCause::kExpired, &ended);
      }
    }
    more = ended.size() >= kLeasesAtOnce;
    Finish(std::move(ended));
    if (more) GiveWay();
  }
}

void Pool::EndForAllLocked(const LeaseId& id, EndCause cause,
                           std::vector<LeaseTable::Ended>* ended) {
  const LeaseTable::Lease& lease = table_.LeaseOf(id);
  if (lease.kind == LeaseKind::kHeld && !ChannelOf(lease.buffer->name).empty()) {
    const std::vector<LeaseId> members(lease.buffer->leases.begin(),
                                       lease.buffer->leases.end());
    // First: a daemon that is killed between their records finds a dead member's
    // lease, and does the rest again.
    for (const LeaseId& member : members) {
      if (member != id) ended->push_back(EndLocked(member, EndCause::kRevoked));
    }
  }
  ended->push_back(EndLocked(id, cause, /*for_all=*/true));
}

bool Pool::IsOnlyHeldLocked(const LeaseTable::Buffer& buffer) const {
  return std::count_if(buffer.leases.begin(), buffer.leases.end(),
                       [this](const LeaseId& id)
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                             return table_.LeaseOf(id).kind == LeaseKind::kHeld;
                           }) == 1;
}

LeaseTable::Ended Pool::EndLocked(const LeaseId& id, EndCause cause,
                                  bool for_all) {
  switch (cause) {
    case EndCause::kReleased: ++counts_.released; break;
    case EndCause::kExpired: ++counts_.expired; break;
    case EndCause::kRevoked: ++counts_.revoked; break;
    case EndCause::kHolderDied: ++counts_.holder_died; break;
    case EndCause::kUnused: ++counts_.unused; break;
    case EndCause::kHandedOver: ++counts_.handed_over; break;
  }
  absl::Duration linger = table_.LeaseOf(id).linger;
  LeaseTable::Buffer& buffer = *table_.LeaseOf(id).buffer;
  // Its holder may not know that it has ended, and may have yet to open it.
  if (table_.LeaseOf(id).kind == LeaseKind::kHeld &&
      cause != EndCause::kReleased && cause != EndCause::kHandedOver) {
    buffer.segment.set_name_is_stale();
  }
  // Its last member may have given it to one who has yet to open it.
  if (!for_all && cause == EndCause::kReleased &&
      !ChannelOf(buffer.name).empty() && IsOnlyHeldLocked(buffer)) {
    linger = kChannelLinger;
  }
  quota_.ReleaseLease(PayerLocked(table_.LeaseOf(id)));
  LeaseTable::Ended ended = table_.End(id, cause);
  if (linger > absl::ZeroDuration() && cause != EndCause::kRevoked &&
      !revoked_) {
    LingerLocked(&ended, linger);
  }
  return ended;
}

std::optional<Segment> Pool::UnpinLocked(LeaseTable::Buffer* buffer) {
  if (LeaseTable::GoesWhenUnpinned(*buffer)) {
    PublishLocked(BufferEvents::Kind::kEnded, *buffer);
  }
  return table_.Unpin(buffer);
}

void Pool::RecordEnd(const LeaseTable::Ended& ended) {
  const std::optional<LeaseRecord>& successor = ended.successor;
  if (successor.has_value()) {
    const bool kept = journal_.Replace(ended.lease.id, *successor).ok();
    AccountJournal();
    segments_.NoteDue(successor->granted_at + successor->ttl);
    // Without it a later daemon does not let the buffer linger.
    if (kept) {
      bool live = false;
      {
        MutexLock lock(&mutex_);
        live = FindLiveLocked(successor->id) != nullptr;
      }
      // It may have ended before it was recorded, and so may its end have been.
      if (!live) journal_.End(successor->id);
      return;
    }
  }
  journal_.End(ended.lease.id);
}

void Pool::Finish(std::vector<LeaseTable::Ended> ended) {
  if (ended.empty()) return;
  for (const LeaseTable::Ended& end : ended) RecordEnd(end);
  std::vector<std::optional<Segment>> segments;
  segments.reserve(ended.size());
  bool revoked = false;
  {
    MutexLock lock(&mutex_);
    for (const LeaseTable::Ended& end : ended) {
      segments.push_back(UnpinLocked(end.buffer));
    }
    revoked = revoked_;
  }
  events_.Wake();
  for (size_t i = 0; i < ended.size(); ++i) {
    const EndCause cause = ended[i].lease.cause;
    if (options_.on_revoked && ended[i].lease.holder != kPoolHolder &&
        (cause == EndCause::kExpired || cause == EndCause::kRevoked)) {
      options_.on_revoked(ended[i].lease);
    }
    if (!segments[i].has_value()) continue;
    if (revoked) {
      segments_.End(*std::move(segments[i]));
    } else if (cause == EndCause::kReleased) {
      segments_.ReturnReleased(*std::move(segments[i]));
    } else {
      segments_.Return(*std::move(segments[i]));
    }
  }
}

}  // namespace warmpool
