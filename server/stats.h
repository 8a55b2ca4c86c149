// The pool's statistics as GetStats answers them.
#ifndef WARMPOOL_SERVER_STATS_H_
#define WARMPOOL_SERVER_STATS_H_

#include "core/memory/segment_directory.h"
#include "core/memory/system_calls.h"
#include "core/pool/pool.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "server/memory_pressure.h"

namespace warmpool {

// How segments came by their pages.
void FillHugePages(const SegmentDirectory& directory,
                   v1::HugePageCounts* huge_pages);

// How often the machine was short of memory.
void FillMemoryPressure(const MemoryPressure::Counts& counts,
                        v1::MemoryPressureCounts* pressure);

// Fills everything but what only the daemon knows (pid, uptime, directory,
// bytes free on the filesystem, memory pressure) or its directory.
void FillStats(const Pool::Stats& stats, const SystemCalls& calls,
               v1::GetStatsResponse* response);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_STATS_H_
