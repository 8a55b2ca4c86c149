// WatchStats: statistics sent again and again on one stream.
#ifndef WARMPOOL_SERVER_WATCH_STATS_H_
#define WARMPOOL_SERVER_WATCH_STATS_H_

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/pool/lease.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/handlers.h"

namespace warmpool {

// INVALID_ARGUMENT: the interval asked for is outside of 100 ms to 1 h.
absl::StatusOr<absl::Duration> WatchIntervalOf(
    const v1::WatchStatsRequest& request);

// A reactor that serves one watcher; it deletes itself when gRPC is done with
// it. `handlers` must outlive it.
grpc::ServerWriteReactor<v1::GetStatsResponse>* ServeWatchStats(
    HolderId holder, absl::Duration interval, Handlers* handlers);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_WATCH_STATS_H_
