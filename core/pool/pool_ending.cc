// How leases end. Many at once end a few at a time: a process may have a
// hundred thousand of them, and everybody else waits for the lock meanwhile.
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "core/pool/pool.h"

namespace warmpool {
namespace {

// What is looked at or ended in one hold of the lock: each costs a proof or a
// record in the journal, a microsecond or two.
constexpr size_t kLeasesAtOnce = 64;

}  // namespace

void Pool::GiveWay() {
  std::this_thread::sleep_for(std::chrono::microseconds(20));
}

void Pool::EndEach(const std::vector<LeaseId>& leases, EndCause cause,
                   const std::function<bool(const LeaseTable::Lease&)>& ends,
                   const FinishFunction& finish) {
  for (size_t begin = 0; begin < leases.size(); begin += kLeasesAtOnce) {
    if (begin > 0) GiveWay();
    const size_t end = std::min(begin + kLeasesAtOnce, leases.size());
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      for (size_t i = begin; i < end; ++i) {
        // It may have ended since they were listed.
        const absl::StatusOr<const LeaseTable::Lease*> lease =
            table_.Find(0, {leases[i], 0}, /*as_admin=*/true);
        if (!lease.ok() || *lease == nullptr || !ends(**lease)) continue;
        ended.push_back(EndLocked(leases[i], cause));
      }
    }
    finish(std::move(ended));
  }
}

void Pool::RemoveHolder(HolderId id) {
  std::vector<LeaseId> leases;
  {
    MutexLock lock(&mutex_);
    leases = table_.LeasesOf(id);
  }
  EndEach(
      leases, EndCause::kHolderDied,
      [](const LeaseTable::Lease&) { return true; },
      [this](std::vector<LeaseTable::Ended> ended) {
        Finish(std::move(ended));
      });
  std::vector<LeaseTable::Ended> ended;
  {
    MutexLock lock(&mutex_);
    // Those of requests that were under way.
    for (const LeaseId& lease : table_.LeasesOf(id)) {
      ended.push_back(EndLocked(lease, EndCause::kHolderDied));
    }
    table_.RemoveHolder(id);
  }
  Finish(std::move(ended));
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
  EndEach(
      leases, EndCause::kUnused,
      [this, since](const LeaseTable::Lease& lease) {
        // Under the lock, so that the segment stays; the kernel looks at two
        // counters of the file, and waits for nobody where it is to open it.
        return lease.touched_at < since &&
               directory_.Prove(lease.buffer->segment) != Verdict::kInUse;
      },
      [this, &count](std::vector<LeaseTable::Ended> ended) {
        count += ended.size();
        Finish(std::move(ended));
      });
  return count;
}

size_t Pool::RevokeAll() {
  std::vector<LeaseId> leases;
  {
    MutexLock lock(&mutex_);
    revoked_ = true;
    leases = table_.AllLeases();
  }
  size_t count = 0;
  EndEach(
      leases, EndCause::kRevoked,
      [](const LeaseTable::Lease&) { return true; },
      [this, &count](std::vector<LeaseTable::Ended> ended) {
        count += ended.size();
        for (LeaseTable::Ended& end : ended) {
          if (options_.on_revoked) options_.on_revoked(end.lease);
          if (end.segment.has_value()) segments_.End(*std::move(end.segment));
        }
      });
  segments_.EndQuarantined();
  return count;
}

void Pool::EndExpired() {
  for (bool more = true; more;) {
    std::vector<LeaseTable::Ended> ended;
    {
      MutexLock lock(&mutex_);
      for (const LeaseId& id : table_.Expired(clock_.Now(), kLeasesAtOnce)) {
        ended.push_back(EndLocked(id, EndCause::kExpired));
      }
    }
    more = ended.size() == kLeasesAtOnce;
    Finish(std::move(ended));
    if (more) GiveWay();
  }
}

LeaseTable::Ended Pool::EndLocked(const LeaseId& id, EndCause cause) {
  switch (cause) {
    case EndCause::kReleased: ++counts_.released; break;
    case EndCause::kExpired: ++counts_.expired; break;
    case EndCause::kRevoked: ++counts_.revoked; break;
    case EndCause::kHolderDied: ++counts_.holder_died; break;
    case EndCause::kUnused: ++counts_.unused; break;
  }
  if (journal_ != nullptr) NoteJournalledLocked(journal_->AppendEnd(id));
  const uid_t uid = table_.LeaseOf(id).buffer->uid;
  LeaseTable::Ended ended = table_.End(id, cause);
  quota_.Release(uid, ended.segment.has_value() ? ended.segment->bytes() : 0);
  return ended;
}

void Pool::Finish(std::vector<LeaseTable::Ended> ended) {
  for (LeaseTable::Ended& end : ended) {
    const EndCause cause = end.lease.cause;
    if (options_.on_revoked &&
        (cause == EndCause::kExpired || cause == EndCause::kRevoked)) {
      options_.on_revoked(end.lease);
    }
    if (!end.segment.has_value()) continue;
    if (cause == EndCause::kReleased) {
      segments_.ReturnReleased(*std::move(end.segment));
    } else {
      segments_.Return(*std::move(end.segment));
    }
  }
}

}  // namespace warmpool
