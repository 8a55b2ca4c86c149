// What a daemon's stop would leave and lose: what is there at this moment, and
// what becomes of it.
//
// Pure functions.
#ifndef WARMPOOL_CLIENT_CLI_SHUTDOWN_PLAN_H_
#define WARMPOOL_CLIENT_CLI_SHUTDOWN_PLAN_H_

#include <string>

#include "client/cli/output.pb.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// `revoke` as in ShutdownRequest.
cli::ShutdownPlan MakeShutdownPlan(const v1::GetStatsResponse& stats,
                                   const v1::ListHoldersResponse& holders,
                                   bool revoke);

std::string ShutdownPlanText(const cli::ShutdownPlan& plan);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CLI_SHUTDOWN_PLAN_H_
