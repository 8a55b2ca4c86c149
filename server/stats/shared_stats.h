// SharedStats: the statistics for those who watch them. All watchers get the
// same snapshot, which is renewed as soon as it is kStatsAge old: its price
// does not grow with their number. A uid sees the refusals of its own alone, an
// admin all.
//
// Thread-safe.
#ifndef WARMPOOL_SERVER_STATS_SHARED_STATS_H_
#define WARMPOOL_SERVER_STATS_SHARED_STATS_H_

#include <sys/types.h>

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/lease/lease.h"
#include "core/pool/pool.h"
#include "server/stats/stats.h"

namespace warmpool {

class SharedStats {
 public:
  // Half of a watcher's shortest interval.
  static constexpr absl::Duration kStatsAge = absl::Milliseconds(50);

  // What is pointed to must outlive this.
  SharedStats(StatsSource* stats, const Pool* pool, const Clock* clock)
      : stats_(*stats), pool_(*pool), clock_(*clock) {}

  // As `caller` may see them; one that is not known sees no refusal.
  std::shared_ptr<const v1::GetStatsResponse> For(
      const absl::StatusOr<Holder>& caller);

 private:
  using Snapshot = std::shared_ptr<const v1::GetStatsResponse>;

  // As admins see it.
  Snapshot Whole();

  StatsSource& stats_;
  const Pool& pool_;
  const Clock& clock_;

  Mutex mutex_;
  absl::Time filled_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Null: too old.
  Snapshot whole_ ABSL_GUARDED_BY(mutex_);
  // Of those uids that have watched since.
  absl::flat_hash_map<uid_t, Snapshot> of_uids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_STATS_SHARED_STATS_H_
