// StatsSource: what GetStats and ListHolders answer, whoever asks.
#ifndef WARMPOOL_SERVER_STATS_STATS_H_
#define WARMPOOL_SERVER_STATS_STATS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/book/last_refusals.h"
#include "core/lease/lease.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"
#include "core/pool/pool.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/clients/session_hub.h"
#include "server/pressure/memory_pressure.h"
#include "server/stats/recent_stats.h"
#include "server/stats/rpc_stats.h"

namespace warmpool {

v1::Refusal ToProto(const Refusal& refusal);

// Takes out whose leases were refused, and why.
void HideProcesses(v1::GetStatsResponse* stats);
// Of refusals, leaves the caller's own.
void ShowRefusalOf(const std::optional<Refusal>& own,
                   v1::GetStatsResponse* stats);

// Thread-safe.
class StatsSource {
 public:
  // What is pointed to must outlive this.
  struct Deps {
    const Clock* clock;
    const Pool* pool;
    SegmentDirectory* directory;
    const SystemCalls* calls;
    const MemoryPressure* memory_pressure;
    const SessionHub* sessions;
    RpcStats* rpcs;
    // As DaemonOptions has it.
    absl::Duration drain_timeout = absl::ZeroDuration();
  };

  explicit StatsSource(const Deps& deps);

  // What to tell of where the status page is.
  void SetMetricsListen(std::string address);

  // Everything, refusals as an admin sees them.
  void Fill(v1::GetStatsResponse* response);

  // To be called after anything has happened; see RecentStats::Poll.
  absl::Time Poll();

  // Those processes that are `shown` and have leases, most bytes first.
  std::vector<v1::HolderUsage> Holders(
      absl::FunctionRef<bool(const Holder&)> shown) const;

 private:
  // What RecentStats tells apart by time, and what else is at hand.
  void FillCounts(v1::GetStatsResponse* response) const;

  const Deps deps_;
  const absl::Time started_at_;
  RecentStats recent_;

  Mutex mutex_;
  std::string metrics_listen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_STATS_STATS_H_
