// What the daemon's statistics say about the time between two answers.
#ifndef WARMPOOL_CLIENT_LOAD_STATS_DIFFERENCE_H_
#define WARMPOOL_CLIENT_LOAD_STATS_DIFFERENCE_H_

#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// `after`, with its counts since the daemon's start replaced by what they grew
// by since `before`. What tells of a moment (bytes, live leases, segments
// retained, blocks waiting) or is a maximum stays as it is.
// REQUIRES: both are answers of the same daemon process.
v1::GetStatsResponse StatsDifference(const v1::GetStatsResponse& before,
                                     const v1::GetStatsResponse& after);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_STATS_DIFFERENCE_H_
