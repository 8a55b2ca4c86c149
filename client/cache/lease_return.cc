#include "client/cache/lease_return.h"

#include <utility>
#include <vector>

#include "client/leases/mapped_lease.h"

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

bool LeaseReturn::ReturnNow(Surplus surplus, absl::Time now) {
  UnmapBatch* const batch = this->batch();
  const bool any = !surplus.empty() ||
                   (batch != nullptr && batch->counts().blocks_waiting > 0);
  Flush();
  // In one call, however small they are.
  std::vector<MappedLease*> leases;
  leases.reserve(surplus.size());
  for (const Eviction& eviction : surplus) {
    leases.push_back(MappedLease::Of(eviction.segment));
  }
  {
    UnmapBatch unmapped(&calls_, {.drain = UnmapBatch::Drain::kInline});
    for (Eviction& eviction : surplus) {
      unmapped.Add(std::move(eviction.segment), now);
    }
  }
  Release(leases);
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
  std::vector<MappedLease*> leases;
  leases.reserve(ended.size());
  for (const Segment& segment : ended) {
    leases.push_back(MappedLease::Of(segment));
  }
  Release(leases);
}

void LeaseReturn::Release(absl::Span<MappedLease* const> unmapped) {
  if (unmapped.empty()) return;
  std::vector<v1::LeaseRef> refs;
  refs.reserve(unmapped.size());
  for (const MappedLease* const lease : unmapped) refs.push_back(lease->ref());
  // Counted first: whoever sees the daemon have them finds them counted.
  returned_.fetch_add(unmapped.size(), std::memory_order_relaxed);
  source_->ReleaseLater(refs);
  for (MappedLease* const lease : unmapped) delete lease;
}

}  // namespace warmpool
