#include "core/engine/sorter.h"

#include <utility>

namespace warmpool {

Sorter::Sorter(EngineBook* book, SegmentSource* source, const Clock* clock,
               UnmapBatch* batch, const SegmentPoolOptions& options)
    : book_(*book),
      source_(*source),
      clock_(*clock),
      batch_(*batch),
      batch_max_age_(options.batch.max_age),
      quota_(options.quota),
      on_due_earlier_(options.on_due_earlier) {}

Verdict Sorter::ProveReturned(Segment* segment) {
  const Verdict verdict = source_.Prove(*segment);
  if (verdict == Verdict::kInUse || !segment->sealed()) return verdict;
  // One that is to be freed is unsealed too: its end may have to truncate it.
  const Verdict unsealed = source_.Unseal(segment);
  return verdict == Verdict::kUnfit ? verdict : unsealed;
}

void Sorter::Settle(Segment segment, ByteState from, Verdict verdict) {
  const uint64_t bytes = segment.bytes();
  const uid_t owner = segment.owner();
  // Before it can be leased again, whose proof finds who opened it by the name
  // that it had.
  if (verdict == Verdict::kFree &&
      !(FitsItsClass(segment) && source_.Rename(&segment).ok())) {
    verdict = Verdict::kUnfit;
  }
  std::vector<Segment> cold;
  absl::Time now;
  absl::Time due = absl::InfiniteFuture();
  {
    MutexLock lock(&book_.mutex);
    // Read under the lock: BigCache's order is by age.
    now = clock_.Now();
    if (from == ByteState::kQuarantined) {
      book_.quarantine.OnLeft(bytes);
    } else if (from == ByteState::kRetained) {
      book_.unproven.OnProven(bytes);
    }
    if (verdict == Verdict::kInUse && book_.quarantine.is_open()) {
      book_.Move(from, ByteState::kQuarantined, segment);
      CountUnproven(segment);
      due = book_.quarantine.Add(std::move(segment), now);
    } else if (verdict == Verdict::kFree && !book_.draining) {
      book_.Move(from, ByteState::kRetained, segment);
      std::vector<Eviction> evicted;
      book_.bigcache.Retain(std::move(segment), now, &evicted);
      cold = book_.AccountEvicted(std::move(evicted));
      book_.RecordReturn();
      due = book_.bigcache.NextDecay();
    } else {
      book_.Move(from, ByteState::kBatched, segment);
      book_.bigcache.RecordDropped(segment.owner(), segment.size_class(), now);
      book_.RecordReturn();
    }
  }
  // It counts as what it has become from here on, if at all.
  if (from != ByteState::kLeased) ForgetUnproven(owner, bytes);
  book_.probed_condition.NotifyAll();
  if (!segment.empty()) {
    batch_.Add(std::move(segment), now,
               /*proven_unused=*/verdict != Verdict::kInUse);
    due = now + batch_max_age_;
  }
  HandOff(std::move(cold));
  ScheduleTick(due);
}

void Sorter::ProveUnproven(absl::Time until) {
  std::vector<Segment> due;
  {
    MutexLock lock(&book_.mutex);
    due = book_.unproven.TakeDue(until);
  }
  for (Segment& segment : due) {
    const Verdict verdict = ProveReturned(&segment);
    Settle(std::move(segment), ByteState::kRetained, verdict);
  }
}

void Sorter::HandOff(std::vector<Segment> cold) {
  if (cold.empty()) return;
  const absl::Time now = clock_.Now();
  for (Segment& segment : cold) {
    // Ages ago it was proven: somebody may have opened or linked it since.
    const Verdict verdict = source_.Prove(segment);
    if (verdict == Verdict::kInUse && QuarantineEvicted(&segment)) continue;
    batch_.Add(std::move(segment), now,
               /*proven_unused=*/verdict != Verdict::kInUse);
  }
  ScheduleTick(now + batch_max_age_);
}

void Sorter::AddToBatch(Segment segment, absl::Time now) {
  batch_.Add(std::move(segment), now);
  ScheduleTick(now + batch_max_age_);
}

bool Sorter::QuarantineEvicted(Segment* segment) {
  absl::Time due;
  {
    MutexLock lock(&book_.mutex);
    if (!book_.quarantine.is_open()) return false;
    const absl::Time now = clock_.Now();
    book_.Move(ByteState::kBatched, ByteState::kQuarantined, *segment);
    ++book_.CountsOf(segment->size_class()).failed_proofs;
    CountUnproven(*segment);
    // Its end will be noted as that of a segment in use.
    book_.bigcache.RecordAcquired(segment->owner(), segment->size_class(), now);
    due = book_.quarantine.Add(std::move(*segment), now);
  }
  ScheduleTick(due);
  return true;
}

bool Sorter::FitsItsClass(const Segment& segment) const {
  const absl::StatusOr<SizeClass> size_class =
      book_.size_classes.For(segment.bytes());
  return size_class.ok() && *size_class == segment.size_class() &&
         book_.size_classes.Bytes(*size_class) == segment.bytes();
}

void Sorter::ScheduleTick(absl::Time due) {
  {
    MutexLock lock(&book_.mutex);
    if (due >= book_.next_tick) return;
    book_.next_tick = due;
  }
  if (on_due_earlier_) on_due_earlier_();
}

void Sorter::CountUnproven(const Segment& segment) {
  if (quota_ != nullptr) quota_->AddUnproven(segment.owner(), segment.bytes());
}

void Sorter::ForgetUnproven(uid_t owner, uint64_t bytes) {
  if (quota_ != nullptr) quota_->RemoveUnproven(owner, bytes);
}

void Sorter::ForgetLeased(uid_t owner, uint64_t bytes) {
  if (quota_ != nullptr) quota_->ReleaseBytes(owner, bytes);
}

}  // namespace warmpool
