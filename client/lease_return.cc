#include "client/lease_return.h"

#include <utility>

#include "client/mapped_lease.h"

namespace warmpool {

LeaseReturn::LeaseReturn(std::shared_ptr<LeaseSource> source,
                         SystemCalls* calls, UnmapBatch::Drain drain)
    : source_(std::move(source)), calls_(*calls), drain_(drain) {}

void LeaseReturn::Add(Surplus surplus, absl::Time now) {
  if (surplus.empty()) return;
  UnmapBatch& batch = MadeBatch();
  for (Eviction& eviction : surplus) {
    batch.Add(std::move(eviction.segment), now);
  }
}

void LeaseReturn::Flush() {
  if (UnmapBatch* const batch = this->batch()) batch->Flush();
}

absl::Time LeaseReturn::HandOverAged(absl::Time now) {
  UnmapBatch* const batch = this->batch();
  return batch == nullptr ? absl::InfiniteFuture() : batch->HandOverAged(now);
}

bool LeaseReturn::ReturnNow(Surplus surplus) {
  UnmapBatch* const batch = this->batch();
  const bool any = !surplus.empty() ||
                   (batch != nullptr && batch->counts().blocks_waiting > 0);
  Flush();
  returned_.fetch_add(surplus.size(), std::memory_order_relaxed);
  for (Eviction& eviction : surplus) {
    const std::unique_ptr<MappedLease> lease(MappedLease::Of(eviction.segment));
    lease->segment = std::move(eviction.segment);
    lease->End().IgnoreError();
  }
  return any;
}

void LeaseReturn::CheckInvariants() const {
  if (const UnmapBatch* const batch = this->batch()) batch->CheckInvariants();
}

UnmapBatch* LeaseReturn::batch() const {
  MutexLock lock(&mutex_);
  return batch_.get();
}

UnmapBatch& LeaseReturn::MadeBatch() {
  MutexLock lock(&mutex_);
  if (batch_ == nullptr) {
    batch_ = std::make_unique<UnmapBatch>(
        &calls_, UnmapBatch::Options{.drain = drain_, .max_age = kMaxAge},
        [this](absl::Span<const Segment> ended) { OnEnded(ended); });
  }
  return *batch_;
}

void LeaseReturn::OnEnded(absl::Span<const Segment> ended) {
  std::vector<v1::LeaseRef> refs;
  refs.reserve(ended.size());
  for (const Segment& segment : ended) {
    refs.push_back(MappedLease::Of(segment)->ref());
  }
  // Counted first: whoever sees the daemon have them finds them counted.
  returned_.fetch_add(ended.size(), std::memory_order_relaxed);
  source_->ReleaseLater(refs);
  for (const Segment& segment : ended) delete MappedLease::Of(segment);
}

}  // namespace warmpool
