// Segments that somebody still has though their lease has ended.
#include <utility>

#include "core/engine/segment_pool.h"

namespace warmpool {
namespace {

// Of one uid. A client that claims a leftover waits while it is out for a
// probe, behind those that went out with it.
constexpr size_t kProbesAtOnce = 64;
// Times that many in one Tick: what else is due then waits for a few
// milliseconds at most.
constexpr int kRoundsPerTick = 4;

}  // namespace

void SegmentPool::Adopt(Segment segment) {
  absl::Time due;
  {
    MutexLock lock(&mutex_);
    const absl::Time now = clock_.Now();
    ledger_.Enter(ByteState::kQuarantined, segment.size_class(),
                  segment.bytes());
    // Its end will be noted as that of a segment in use.
    bigcache_.RecordAcquired(segment.owner(), segment.size_class(), now);
    CountUnproven(segment);
    due = quarantine_.AddLeftover(std::move(segment), now, leftover_grace_);
  }
  ScheduleTick(due);
}

std::optional<Segment> SegmentPool::TakeQuarantined(
    const std::string& file_name, uid_t owner) {
  MutexLock lock(&mutex_);
  while (quarantine_.IsProbingLeftover(file_name)) {
    probed_condition_.Wait(&mutex_);
  }
  std::optional<Quarantine::Entry> entry =
      quarantine_.TakeLeftover(file_name, owner);
  if (!entry.has_value()) return std::nullopt;
  MoveLocked(ByteState::kQuarantined, ByteState::kLeased, entry->segment);
  ForgetUnproven(entry->segment.owner(), entry->segment.bytes());
  return std::move(entry->segment);
}

void SegmentPool::PutBackLeftover(Segment segment) {
  absl::Time due;
  {
    MutexLock lock(&mutex_);
    if (quarantine_.is_open()) {
      MoveLocked(ByteState::kLeased, ByteState::kQuarantined, segment);
      CountUnproven(segment);
      due = quarantine_.AddLeftover(std::move(segment), clock_.Now(),
                                    leftover_grace_);
    }
  }
  if (segment.empty()) {
    ScheduleTick(due);
  } else {
    End(std::move(segment));
  }
}

bool SegmentPool::QuarantineEvicted(Segment* segment) {
  absl::Time due;
  {
    MutexLock lock(&mutex_);
    if (!quarantine_.is_open()) return false;
    const absl::Time now = clock_.Now();
    MoveLocked(ByteState::kBatched, ByteState::kQuarantined, *segment);
    ++AcquireCountsLocked(segment->size_class()).failed_proofs;
    CountUnproven(*segment);
    // As in Adopt.
    bigcache_.RecordAcquired(segment->owner(), segment->size_class(), now);
    due = quarantine_.Add(std::move(*segment), now);
  }
  ScheduleTick(due);
  return true;
}

void SegmentPool::ProbeQuarantined(absl::Time now) {
  for (int round = 0; round < kRoundsPerTick && ProbeSome(now); ++round) {
  }
}

void SegmentPool::ProbeAllQuarantined(absl::Time now) {
  {
    MutexLock lock(&mutex_);
    quarantine_.MakeAllDue(now);
  }
  // Those that are put back are due later than `now`.
  while (ProbeSome(now)) {
  }
}

bool SegmentPool::ProbeSome(absl::Time now) {
  std::vector<Quarantine::Entry> entries;
  {
    MutexLock lock(&mutex_);
    entries = quarantine_.TakeDue(now, kProbesAtOnce);
  }
  for (Quarantine::Entry& entry : entries) ProbeEntry(std::move(entry), now);
  return !entries.empty();
}

void SegmentPool::ProbeEntry(Quarantine::Entry entry, absl::Time now) {
  const std::string leftover =
      entry.leftover ? entry.segment.file_name() : std::string();
  Verdict verdict = ProveReturned(&entry.segment);
  if (verdict == Verdict::kInUse && now >= entry.set_aside_at) {
    SetAside(&entry);
  }
  bool put_back = false;
  {
    MutexLock lock(&mutex_);
    if (verdict == Verdict::kInUse && quarantine_.is_open()) {
      quarantine_.PutBack(std::move(entry), now);
      put_back = true;
    }
    quarantine_.ForgetProbingLeftover(leftover);
  }
  probed_condition_.NotifyAll();
  if (put_back) return;
  // One that somebody kept for long may have left traces that no proof shows:
  // it is ended, not reused.
  if (verdict == Verdict::kFree && !entry.Settling(now)) {
    verdict = Verdict::kUnfit;
  }
  Settle(std::move(entry.segment), ByteState::kQuarantined, verdict);
}

void SegmentPool::SetAside(Quarantine::Entry* entry) {
  const absl::Status status = source_.SetAside(&entry->segment);
  if (!status.ok()) {
    MutexLock lock(&mutex_);
    ++failed_set_asides_;
  }
  // Where its name is gone, nobody opens it by that.
  if (status.ok() || absl::IsNotFound(status)) {
    entry->set_aside_at = absl::InfiniteFuture();
  }
}

void SegmentPool::EndQuarantined() {
  std::vector<Quarantine::Entry> entries;
  {
    MutexLock lock(&mutex_);
    // Those that are out for a probe, or being returned, end after it.
    entries = quarantine_.Close();
    for (const Quarantine::Entry& entry : entries) {
      MoveLocked(ByteState::kQuarantined, ByteState::kBatched, entry.segment);
      ForgetUnproven(entry.segment.owner(), entry.segment.bytes());
    }
  }
  for (Quarantine::Entry& entry : entries) {
    batch_.Add(std::move(entry.segment), clock_.Now());
  }
  batch_.Flush();
}

}  // namespace warmpool
