// WatchStats: statistics sent again and again on one stream.
#ifndef WARMPOOL_SERVER_RPC_WATCH_STATS_H_
#define WARMPOOL_SERVER_RPC_WATCH_STATS_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/rpc/serving.h"

namespace warmpool {

// INVALID_ARGUMENT: the interval asked for is outside of 100 ms to 1 h.
absl::StatusOr<absl::Duration> WatchIntervalOf(
    const v1::WatchStatsRequest& request);

// Begins to wait for a call, and then for the next.
void AwaitWatchStats(const Serving& serving);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_WATCH_STATS_H_
