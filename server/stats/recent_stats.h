// RecentStats: what the daemon's counts have grown by lately. It keeps a
// snapshot of them for each of the last seconds in which it was told that
// anything happened; an idle daemon takes none.
#ifndef WARMPOOL_SERVER_STATS_RECENT_STATS_H_
#define WARMPOOL_SERVER_STATS_RECENT_STATS_H_

#include <deque>
#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Thread-safe.
class RecentStats {
 public:
  static constexpr absl::Duration kWindow = absl::Seconds(10);
  static constexpr absl::Duration kEvery = absl::Seconds(1);

  // `read` gives the counts since the start. Those of this moment are where it
  // begins. `clock` must outlive this.
  RecentStats(const Clock* clock, std::function<v1::GetStatsResponse()> read);

  // To be called after anything has happened. Takes a snapshot, unless there
  // was one less than kEvery ago. Returns when to call again; InfiniteFuture:
  // after anything has happened.
  absl::Time Poll();

  // What has happened in kWindow before `now`, or since the start, to come to
  // `stats`.
  v1::RecentStats Until(absl::Time now, const v1::GetStatsResponse& stats);

 private:
  struct Snapshot {
    absl::Time taken_at;
    std::shared_ptr<const v1::GetStatsResponse> stats;
  };

  Snapshot Take() const;
  void DropOldLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  const std::function<v1::GetStatsResponse()> read_;

  Mutex mutex_;
  // The oldest first. The first is the last of those that are kWindow old or
  // older, if there is one.
  std::deque<Snapshot> snapshots_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_STATS_RECENT_STATS_H_
