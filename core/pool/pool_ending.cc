// How leases end. Many at once end a few at a time: a process may have a
// hundred thousand of them, and everybody else waits for the lock meanwhile.
// What is counted is ends, for one lease may bring many.
#include <algorithm>
#include <utility>

#include "absl/types/span.h"
#include "core/base/channel_name.h"
#include "core/pool/pool.h"

namespace warmpool {
namespace {

// What is looked at or ended in one hold of the lock: about a microsecond each.
// One lease more may bring the ends of all others on its buffer, of which there
// are kMaxMemberLeases at most.
constexpr size_t kLeasesAtOnce = 64;

// What running out of time to live means for a lease.
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
  while (statuses.size() < leases.size()) {
    if (!statuses.empty()) Yield();
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      for (size_t looks = 0;
           looks < kLeasesAtOnce && ended.size() < kLeasesAtOnce &&
           statuses.size() < leases.size();
           ++looks) {
        const LeaseRef& ref = leases[statuses.size()];
        statuses.push_back(ReleaseLocked(holder, ref, revoke, &ended));
      }
    }
    Finish(std::move(ended));
  }
  return statuses;
}

absl::Status Pool::ReleaseLocked(HolderId holder, const LeaseRef& ref,
                                 bool revoke,
                                 std::vector<LeaseTable::Ended>* ended) {
  const absl::StatusOr<const LeaseTable::Lease*> lease =
      table_.Find(holder, ref, revoke);
  if (!lease.ok() || *lease == nullptr) return lease.status();
  const bool own = (*lease)->holder == holder;
  if (own && !ref.for_all_members) {
    ended->push_back(EndLocked(ref.id, EndCause::kReleased));
  } else {
    EndForAllLocked(ref.id, own ? EndCause::kReleased : EndCause::kRevoked,
                    ended);
  }
  return absl::OkStatus();
}

size_t Pool::EndSomeLocked(absl::Span<const LeaseId> leases, EndCause cause,
                           std::vector<LeaseTable::Ended>* ended) {
  size_t done = 0;
  for (; done < leases.size() && done < kLeasesAtOnce &&
         ended->size() < kLeasesAtOnce;
       ++done) {
    // It may have ended since it was listed.
    if (FindLiveLocked(leases[done]) == nullptr) continue;
    EndForAllLocked(leases[done], cause, ended);
  }
  return done;
}

size_t Pool::EndEach(absl::Span<const LeaseId> leases, EndCause cause) {
  size_t count = 0;
  while (!leases.empty()) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      leases.remove_prefix(EndSomeLocked(leases, cause, &ended));
    }
    count += ended.size();
    Finish(std::move(ended));
    if (!leases.empty()) Yield();
  }
  return count;
}

void Pool::RemoveHolder(HolderId id) {
  while (RemoveSomeOf(id)) Yield();
}

bool Pool::RemoveSomeOf(HolderId id) {
  std::vector<LeaseTable::Ended> ended;
  AttachWaits::Wakes wakes;
  bool more = true;
  {
    MutexLock lock(&mutex_);
    EndSomeLocked(table_.LeasesOf(id, kLeasesAtOnce), EndCause::kHolderDied,
                  &ended);
    if (!table_.HasLeases(id)) {
      // From here on nothing is granted to it, and nobody waits for it.
      table_.RemoveHolder(id);
      wakes = waits_.TakeOf(id, kWaitsAtOnce);
      more = wakes.size() == kWaitsAtOnce;
    }
  }
  Finish(std::move(ended));
  Wake(wakes);
  return more;
}

bool Pool::HasLeases(HolderId id) const {
  MutexLock lock(&mutex_);
  return table_.HasLeases(id);
}

size_t Pool::EndUnusedLeases(HolderId id, absl::Time since) {
  UnusedSearch search{.since = since};
  while (EndSomeUnusedLeases(id, &search)) Yield();
  return search.ended;
}

bool Pool::EndSomeUnusedLeases(HolderId id, UnusedSearch* search) {
  std::vector<LeaseId> leases;
  {
    MutexLock lock(&mutex_);
    leases = table_.LeasesOf(id, kLeasesAtOnce, search->at);
    if (leases.empty()) return false;
    search->at = table_.PlaceOf(leases.back());
  }
  search->ended += EndUnused(leases, search->since);
  return true;
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
  size_t count = 0;
  for (size_t next = 0; next < candidates.size();) {
    if (next > 0) Yield();
    std::vector<LeaseTable::Ended> ended;
    std::vector<Segment> unpinned;
    {
      MutexLock lock(&mutex_);
      for (; next < candidates.size() && ended.size() < kLeasesAtOnce; ++next) {
        const Candidate& candidate = candidates[next];
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
    count += ended.size();
    Finish(std::move(ended));
    for (Segment& segment : unpinned) segments_.Return(std::move(segment));
  }
  return count;
}

size_t Pool::RevokeAll() {
  {
    MutexLock lock(&mutex_);
    revoked_ = true;
  }
  size_t count = 0;
  std::optional<LeaseId> last;
  for (bool more = true; more;) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      const std::vector<LeaseId> leases = table_.Leases(kLeasesAtOnce, last);
      more = !leases.empty();
      if (more) {
        last = leases[EndSomeLocked(leases, EndCause::kRevoked, &ended) - 1];
      }
    }
    count += ended.size();
    Finish(std::move(ended));
    if (more) Yield();
  }
  segments_.FreeQuarantined();
  return count;
}

void Pool::PostponeExpiry(absl::Time until) {
  MutexLock lock(&mutex_);
  expiry_pause_end_ = std::max(expiry_pause_end_, until);
}

absl::Time Pool::NextExpiryLocked() const {
  return std::max(table_.NextExpiry(), expiry_pause_end_);
}

void Pool::EndExpired(absl::Time as_of) {
  for (bool more = true; more;) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      if (as_of < expiry_pause_end_) return;
      EndSomeLocked(table_.Expired(as_of, kLeasesAtOnce), EndCause::kExpired,
                    &ended);
    }
    more = ended.size() >= kLeasesAtOnce;
    Finish(std::move(ended));
    if (more) Yield();
  }
}

void Pool::EndForAllLocked(const LeaseId& id, EndCause cause,
                           std::vector<LeaseTable::Ended>* ended) {
  const LeaseTable::Lease& lease = table_.LeaseOf(id);
  if (lease.kind == LeaseKind::kHeld &&
      !ChannelOf(lease.buffer->name).empty()) {
    const std::vector<LeaseId> members(lease.buffer->leases.begin(),
                                       lease.buffer->leases.end());
    // First: a daemon that is killed between their records finds a dead
    // member's lease, and does the rest again.
    for (const LeaseId& member : members) {
      if (member != id) ended->push_back(EndLocked(member, EndCause::kRevoked));
    }
  }
  ended->push_back(EndLocked(id, cause, /*for_all=*/true));
}

LeaseTable::Ended Pool::EndLocked(const LeaseId& id, EndCause cause,
                                  bool for_all) {
  cause = CauseOf(cause, table_.LeaseOf(id).kind);
  switch (cause) {
    case EndCause::kUnclaimed: ++counts_.unclaimed; break;
    case EndCause::kLingered: ++counts_.linger_ended; break;
    case EndCause::kReleased: ++counts_.released; break;
    case EndCause::kExpired: ++counts_.expired; break;
    case EndCause::kRevoked: ++counts_.revoked; break;
    case EndCause::kHolderDied: ++counts_.holder_died; break;
    case EndCause::kUnused: ++counts_.unused; break;
    case EndCause::kHandedOver: ++counts_.handed_over; break;
  }
  const LeaseTable::Lease& lease = table_.LeaseOf(id);
  const Process holder = table_.FindHolder(lease.holder)->process();
  absl::Duration linger = lease.linger;
  LeaseTable::Buffer& buffer = *table_.LeaseOf(id).buffer;
  // Its holder may not know that it has ended, and may have yet to open it.
  if (table_.LeaseOf(id).kind == LeaseKind::kHeld &&
      cause != EndCause::kReleased && cause != EndCause::kHandedOver) {
    buffer.segment.set_name_is_stale();
  }
  // Its last member may have given it to one who has yet to open it.
  if (!for_all && cause == EndCause::kReleased &&
      !ChannelOf(buffer.name).empty() && buffer.held_leases == 1) {
    linger = kChannelLinger;
  }
  quota_.ReleaseLease(PayerLocked(table_.LeaseOf(id)));
  LeaseTable::Ended ended = table_.End(id, cause);
  if (linger > absl::ZeroDuration() && cause != EndCause::kRevoked &&
      !revoked_) {
    LingerLocked(&ended, linger, std::make_shared<const Process>(holder));
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
    segments_.ScheduleTick(successor->granted_at + successor->ttl);
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
      segments_.Free(*std::move(segments[i]));
    } else if (cause == EndCause::kReleased) {
      segments_.ReturnReleased(*std::move(segments[i]));
    } else {
      segments_.Return(*std::move(segments[i]));
    }
  }
}

}  // namespace warmpool
