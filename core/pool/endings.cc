#include "core/pool/endings.h"

#include <optional>
#include <utility>

#include "core/base/mutex.h"
#include "core/base/status_macros.h"
#include "core/pool/effects.h"

namespace warmpool {
namespace {

constexpr size_t kLeasesAtOnce = LeaseBook::kLeasesAtOnce;

}  // namespace

std::vector<absl::Status> Endings::Release(HolderId holder,
                                           absl::Span<const LeaseRef> leases,
                                           bool revoke) {
  std::vector<absl::Status> statuses;
  statuses.reserve(leases.size());
  while (statuses.size() < leases.size()) {
    if (!statuses.empty()) Yield();
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&parts_.book.mutex);
      for (size_t looks = 0;
           looks < kLeasesAtOnce && ended.size() < kLeasesAtOnce &&
           statuses.size() < leases.size();
           ++looks) {
        const LeaseRef& ref = leases[statuses.size()];
        statuses.push_back(ReleaseOne(holder, ref, revoke, &ended));
      }
    }
    Finish(std::move(ended));
  }
  return statuses;
}

absl::Status Endings::ReleaseOne(HolderId holder, const LeaseRef& ref,
                                 bool revoke,
                                 std::vector<LeaseTable::Ended>* ended) {
  ASSIGN_OR_RETURN(const LeaseTable::Lease* const lease,
                   parts_.book.table.Find(holder, ref, revoke));
  if (lease == nullptr) return absl::OkStatus();
  const bool own = lease->holder == holder;
  if (own && !ref.for_all_members) {
    ended->push_back(parts_.book.End(ref.id, EndCause::kReleased));
  } else {
    parts_.book.EndForAll(
        ref.id, own ? EndCause::kReleased : EndCause::kRevoked, ended);
  }
  return absl::OkStatus();
}

size_t Endings::EndEach(absl::Span<const LeaseId> leases, EndCause cause) {
  size_t count = 0;
  while (!leases.empty()) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&parts_.book.mutex);
      leases.remove_prefix(parts_.book.EndSome(leases, cause, &ended));
    }
    count += ended.size();
    Finish(std::move(ended));
    if (!leases.empty()) Yield();
  }
  return count;
}

void Endings::EndReplaced(const LeaseId& replaced, const LeaseId& by) {
  parts_.journal.End(by);
  EndEach({replaced}, EndCause::kRevoked);
}

bool Endings::RemoveSomeOf(HolderId id) {
  std::vector<LeaseTable::Ended> ended;
  AttachWaits::Wakes wakes;
  bool more = true;
  {
    MutexLock lock(&parts_.book.mutex);
    parts_.book.EndSome(parts_.book.table.holders().LeasesOf(id, kLeasesAtOnce),
                        EndCause::kHolderDied, &ended);
    if (!parts_.book.table.holders().HasLeases(id)) {
      // From here on the holder is granted nothing, and no new wait is added.
      parts_.book.table.RemoveHolder(id);
      wakes = parts_.book.waits.TakeOf(id, WaitWaker::kWaitsAtOnce);
      more = wakes.size() == WaitWaker::kWaitsAtOnce;
    }
  }
  Finish(std::move(ended));
  WaitWaker::Wake(wakes);
  return more;
}

bool Endings::EndSomeUnusedLeases(HolderId id, UnusedSearch* search) {
  std::vector<LeaseId> leases;
  {
    MutexLock lock(&parts_.book.mutex);
    leases =
        parts_.book.table.holders().LeasesOf(id, kLeasesAtOnce, search->at);
    if (leases.empty()) return false;
    search->at = parts_.book.table.PlaceOf(leases.back());
  }
  std::vector<Candidate> candidates = PinUntouched(leases, search->since);
  for (Candidate& candidate : candidates) {
    candidate.unused =
        parts_.directory.Prove(candidate.buffer->segment) != Verdict::kInUse;
  }
  search->ended += EndUnused(candidates, search->since);
  return true;
}

std::vector<Endings::Candidate> Endings::PinUntouched(
    absl::Span<const LeaseId> leases, absl::Time since) {
  std::vector<Candidate> candidates;
  MutexLock lock(&parts_.book.mutex);
  for (const LeaseId& id : leases) {
    const LeaseTable::Lease* const lease = parts_.book.FindLive(id);
    if (lease == nullptr || lease->touched_at >= since ||
        lease->buffer->handing_over) {
      continue;
    }
    parts_.book.table.Pin(lease->buffer);
    candidates.push_back({id, lease->buffer});
  }
  return candidates;
}

size_t Endings::EndUnused(absl::Span<const Candidate> candidates,
                          absl::Time since) {
  size_t count = 0;
  for (size_t next = 0; next < candidates.size();) {
    if (next > 0) Yield();
    Effects effects(&parts_);
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&parts_.book.mutex);
      for (; next < candidates.size() && ended.size() < kLeasesAtOnce; ++next) {
        const Candidate& candidate = candidates[next];
        const LeaseTable::Lease* const lease =
            parts_.book.FindLive(candidate.id);
        // The holder may have requested the lease meanwhile, and may be about
        // to open the file.
        if (candidate.unused && lease != nullptr && lease->touched_at < since) {
          parts_.book.EndForAll(candidate.id, EndCause::kUnused, &ended);
        }
        effects.Return(parts_.book.Unpin(candidate.buffer));
      }
    }
    count += ended.size();
    Finish(std::move(ended));
  }
  return count;
}

size_t Endings::RevokeAll() {
  {
    MutexLock lock(&parts_.book.mutex);
    parts_.book.revoked = true;
  }
  size_t count = 0;
  std::optional<LeaseId> last;
  for (bool more = true; more;) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&parts_.book.mutex);
      const std::vector<LeaseId> leases =
          parts_.book.table.Leases(kLeasesAtOnce, last);
      more = !leases.empty();
      if (more) {
        last =
            leases[parts_.book.EndSome(leases, EndCause::kRevoked, &ended) - 1];
      }
    }
    count += ended.size();
    Finish(std::move(ended));
    if (more) Yield();
  }
  parts_.segments.FreeQuarantined();
  return count;
}

void Endings::EndExpired(absl::Time as_of) {
  for (bool more = true; more;) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&parts_.book.mutex);
      if (as_of < parts_.book.expiry_pause_end) return;
      parts_.book.EndSome(parts_.book.table.Expired(as_of, kLeasesAtOnce),
                          EndCause::kExpired, &ended);
    }
    more = ended.size() >= kLeasesAtOnce;
    Finish(std::move(ended));
    if (more) Yield();
  }
}

void Endings::RecordEnd(const LeaseTable::Ended& ended) {
  const std::optional<LeaseRecord>& successor = ended.successor;
  if (successor.has_value()) {
    const bool kept = parts_.journal.Replace(ended.lease.id, *successor).ok();
    parts_.segments.ScheduleTick(successor->granted_at + successor->ttl);
    // Without this record the buffer does not linger under a later daemon.
    if (kept) {
      bool live = false;
      {
        MutexLock lock(&parts_.book.mutex);
        live = parts_.book.FindLive(successor->id) != nullptr;
      }
      // The lease may have ended, and its end may have been recorded, before
      // this record.
      if (!live) parts_.journal.End(successor->id);
      return;
    }
  }
  parts_.journal.End(ended.lease.id);
}

void Endings::Finish(std::vector<LeaseTable::Ended> ended) {
  if (ended.empty()) return;
  for (const LeaseTable::Ended& end : ended) RecordEnd(end);
  std::vector<std::optional<Segment>> segments;
  segments.reserve(ended.size());
  bool revoked = false;
  {
    MutexLock lock(&parts_.book.mutex);
    for (const LeaseTable::Ended& end : ended) {
      segments.push_back(parts_.book.Unpin(end.buffer));
    }
    revoked = parts_.book.revoked;
  }
  parts_.events.Wake();
  for (size_t i = 0; i < ended.size(); ++i) {
    const EndCause cause = ended[i].lease.cause;
    if (parts_.options.on_revoked &&
        ended[i].lease.holder != LeaseBook::kPoolHolder &&
        (cause == EndCause::kExpired || cause == EndCause::kRevoked)) {
      parts_.options.on_revoked(ended[i].lease);
    }
    if (!segments[i].has_value()) continue;
    if (revoked) {
      parts_.segments.Free(*std::move(segments[i]));
    } else if (cause == EndCause::kReleased) {
      parts_.segments.ReturnReleased(*std::move(segments[i]));
    } else {
      parts_.segments.Return(*std::move(segments[i]));
    }
  }
}

}  // namespace warmpool
