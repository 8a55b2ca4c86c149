// The daemon's statistics as a person reads them.
#ifndef WARMPOOL_CLIENT_CLI_STATS_TEXT_H_
#define WARMPOOL_CLIENT_CLI_STATS_TEXT_H_

#include <string>

#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Everything, as tables.
std::string StatsText(const v1::GetStatsResponse& stats);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_STATS_TEXT_H_
