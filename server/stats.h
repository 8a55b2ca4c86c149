// The pool's statistics as GetStats answers them.
#ifndef WARMPOOL_SERVER_STATS_H_
#define WARMPOOL_SERVER_STATS_H_

#include "core/memory/system_calls.h"
#include "core/pool/pool.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Fills everything but what only the daemon knows (pid, uptime, directory,
// bytes free on the filesystem).
void FillStats(const Pool::Stats& stats, const SystemCalls& calls,
               v1::GetStatsResponse* response);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_STATS_H_
