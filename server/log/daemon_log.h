// The daemon's log on standard error. A thread of its own writes the lines, so
// that a reader that is slow, or has stopped reading, holds up nobody who logs.
// Lines wait in a bounded queue; where it is full the oldest is dropped.
// Dropped lines are counted, and the log tells how many once lines can be
// written again.
//
// All functions are thread-safe.
#ifndef WARMPOOL_SERVER_LOG_DAEMON_LOG_H_
#define WARMPOOL_SERVER_LOG_DAEMON_LOG_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace warmpool {

// How long a process that ends waits for its last lines to be written.
inline constexpr absl::Duration kLogPatience = absl::Seconds(1);

// From here on spdlog's default logger is this log, with the level that was set
// before. Once in a process. The thread takes no signals.
// RESOURCE_EXHAUSTED, naming the limit: there is no thread.
absl::Status StartDaemonLog();

// Waits until everything logged so far is written or dropped, but not longer
// than `patience`. Call it before the process ends. Without StartDaemonLog it
// returns at once.
void FlushDaemonLog(absl::Duration patience = kLogPatience);

// Tells, whatever the log's level, why the daemon can't start: "warmpoold: ..."
// without a time, for the person who started it. Before StartDaemonLog it
// writes at once, and waits for the reader.
void LogFatal(absl::string_view message);

// Lines that were not written since the start: too many waited, or writing to
// standard error failed.
uint64_t LogLinesDropped();

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_LOG_DAEMON_LOG_H_
