#include "server/stats/recent_stats.h"

#include <utility>

#include "proto/warmpool/v1/stats_difference.h"
#include "server/wire/conversion.h"

namespace warmpool {

RecentStats::RecentStats(const Clock* clock,
                         std::function<v1::GetStatsResponse()> read)
    : clock_(*clock), read_(std::move(read)) {
  snapshots_.push_back(Take());
}

RecentStats::Snapshot RecentStats::Take() const {
  const absl::Time now = clock_.Now();
  return {now, std::make_shared<const v1::GetStatsResponse>(read_())};
}

absl::Time RecentStats::Poll() {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(&mutex_);
    const absl::Time due = snapshots_.back().taken_at + kEvery;
    if (now < due) return due;
  }
  Snapshot snapshot = Take();
  MutexLock lock(&mutex_);
  snapshots_.push_back(std::move(snapshot));
  DropOldLocked(now);
  return absl::InfiniteFuture();
}

void RecentStats::DropOldLocked(absl::Time now) {
  while (snapshots_.size() > 1 && snapshots_[1].taken_at <= now - kWindow) {
    snapshots_.pop_front();
  }
}

v1::RecentStats RecentStats::Until(absl::Time now,
                                   const v1::GetStatsResponse& stats) {
  Snapshot from;
  {
    MutexLock lock(&mutex_);
    DropOldLocked(now);
    from = snapshots_.front();
  }
  v1::RecentStats recent;
  // One that is older still is followed by a silence: all that happened since,
  // happened in the window.
  const absl::Duration age = now - from.taken_at;
  *recent.mutable_window() = ToProto(age <= kWindow + kEvery ? age : kWindow);
  v1::GetStatsResponse grown = StatsDifference(*from.stats, stats);
  recent.mutable_leases()->Swap(grown.mutable_leases());
  recent.mutable_bigcache()->Swap(grown.mutable_bigcache());
  recent.mutable_batch()->Swap(grown.mutable_batch());
  recent.mutable_size_classes()->Swap(grown.mutable_size_classes());
  recent.mutable_rpcs()->Swap(grown.mutable_rpcs());
  recent.mutable_steps()->Swap(grown.mutable_steps());
  recent.mutable_system_calls()->Swap(grown.mutable_system_calls());
  return recent;
}

}  // namespace warmpool
