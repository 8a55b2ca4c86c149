// How segments come back: at once, with their proof put off, or from where they
// waited for it.
#include <utility>

#include "core/engine/segment_pool.h"

namespace warmpool {

void SegmentPool::Return(Segment segment) {
  segment.set_zeroed(false);
  const uid_t owner = segment.owner();
  const uint64_t bytes = segment.bytes();
  const Verdict verdict = ProveReturned(&segment);
  Settle(std::move(segment), ByteState::kLeased, verdict);
  ForgetLeased(owner, bytes);
}

Verdict SegmentPool::ProveReturned(Segment* segment) {
  const Verdict verdict = source_.Prove(*segment);
  if (verdict == Verdict::kInUse || !segment->sealed()) return verdict;
  // One that is to be ended is unsealed too: its end may have to truncate it.
  const Verdict unsealed = source_.Unseal(segment);
  return verdict == Verdict::kUnfit ? verdict : unsealed;
}

void SegmentPool::ReturnReleased(Segment segment) {
  const uid_t owner = segment.owner();
  const uint64_t bytes = segment.bytes();
  absl::Time due;
  bool crowded = false;
  {
    MutexLock lock(&mutex_);
    const absl::Time now = clock_.Now();
    crowded = IsCrowdedLocked(segment, now);
    // One that is to have another name has it before anybody can get it.
    if (!crowded && !draining_ && unproven_.Accepts() &&
        !segment.name_is_stale() && FitsItsClass(segment)) {
      MoveLocked(ByteState::kLeased, ByteState::kRetained, segment);
      segment.set_zeroed(false);
      CountUnproven(segment);
      unproven_.Add(std::move(segment), now);
      RecordReturnLocked();
      due = unproven_.NextDue();
    }
  }
  if (segment.empty()) {
    ForgetLeased(owner, bytes);
    ScheduleTick(due);
    return;
  }
  // BigCache keeps to its limits, but knows only what it has.
  if (crowded) ProveUnproven(absl::InfiniteFuture());
  Return(std::move(segment));
}

bool SegmentPool::IsCrowdedLocked(const Segment& segment, absl::Time now) {
  return ledger_.in(ByteState::kRetained) + segment.bytes() >
             max_retained_bytes_ ||
         unproven_.CountOf(segment.owner(), segment.size_class()) >=
             bigcache_.SlotsLeft(segment.owner(), segment.size_class(), now);
}

void SegmentPool::ProveUnproven(absl::Time until) {
  std::vector<Segment> due;
  {
    MutexLock lock(&mutex_);
    due = unproven_.TakeDue(until);
  }
  for (Segment& segment : due) {
    const Verdict verdict = ProveReturned(&segment);
    Settle(std::move(segment), ByteState::kRetained, verdict);
  }
}

bool SegmentPool::ProvePutOff() {
  {
    MutexLock lock(&mutex_);
    if (unproven_.size() == 0) return false;
  }
  ProveUnproven(absl::InfiniteFuture());
  MutexLock lock(&mutex_);
  while (unproven_.is_proving()) probed_condition_.Wait(&mutex_);
  return true;
}

void SegmentPool::Settle(Segment segment, ByteState from, Verdict verdict) {
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
  absl::Time due;
  {
    MutexLock lock(&mutex_);
    // Read under the lock: BigCache's order is by age.
    now = clock_.Now();
    if (from == ByteState::kQuarantined) {
      quarantine_.OnLeft(bytes);
    } else if (from == ByteState::kRetained) {
      unproven_.OnProven(bytes);
    }
    if (verdict == Verdict::kInUse && quarantine_.is_open()) {
      MoveLocked(from, ByteState::kQuarantined, segment);
      CountUnproven(segment);
      due = quarantine_.Add(std::move(segment), now);
    } else if (verdict == Verdict::kFree && !draining_) {
      MoveLocked(from, ByteState::kRetained, segment);
      std::vector<Eviction> evicted;
      bigcache_.Retain(std::move(segment), now, &evicted);
      cold = AccountEvictedLocked(std::move(evicted));
      RecordReturnLocked();
      due = bigcache_.NextDecay();
    } else {
      MoveLocked(from, ByteState::kBatched, segment);
      bigcache_.RecordDropped(segment.owner(), segment.size_class(), now);
      RecordReturnLocked();
    }
  }
  // It counts as what it has become from here on, if at all.
  if (from != ByteState::kLeased) ForgetUnproven(owner, bytes);
  probed_condition_.NotifyAll();
  if (!segment.empty()) {
    batch_.Add(std::move(segment), now,
               /*proven_unused=*/verdict != Verdict::kInUse);
    due = now + batch_max_age_;
  }
  HandOff(std::move(cold));
  ScheduleTick(due);
}

bool SegmentPool::FitsItsClass(const Segment& segment) const {
  const absl::StatusOr<SizeClass> size_class =
      size_classes_.For(segment.bytes());
  return size_class.ok() && *size_class == segment.size_class() &&
         size_classes_.Bytes(*size_class) == segment.bytes();
}

void SegmentPool::RecordReturnLocked() {
  ++returns_;
  returned_condition_.NotifyAll();
}

uint64_t SegmentPool::returns() const {
  MutexLock lock(&mutex_);
  return returns_;
}

uint64_t SegmentPool::AwaitReturn(uint64_t seen, absl::Time until) {
  MutexLock lock(&mutex_);
  while (returns_ <= seen && clock_.Now() < until) {
    returned_condition_.WaitFor(&mutex_, until - clock_.Now());
  }
  return returns_;
}

void SegmentPool::WakeAwaitReturn() {
  MutexLock lock(&mutex_);
  RecordReturnLocked();
}

}  // namespace warmpool
