// How much the daemon logs, as flags and requests say it.
#ifndef WARMPOOL_SERVER_LOG_LOG_LEVEL_H_
#define WARMPOOL_SERVER_LOG_LOG_LEVEL_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/warmpool/v1/warmpool.pb.h"

namespace warmpool {

// Of the whole process, from now on. INVALID_ARGUMENT: `name` is none of trace,
// debug, info, warn, error and off.
absl::Status SetLogLevel(absl::string_view name);

// The same; returns the level that it was. UNSPECIFIED leaves it as it is.
// INVALID_ARGUMENT: there is no such level.
absl::StatusOr<v1::LogLevel> ExchangeLogLevel(v1::LogLevel level);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_LOG_LOG_LEVEL_H_
