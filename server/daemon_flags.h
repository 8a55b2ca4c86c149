// The daemon's command line.
#ifndef WARMPOOL_SERVER_DAEMON_FLAGS_H_
#define WARMPOOL_SERVER_DAEMON_FLAGS_H_

#include "absl/status/statusor.h"
#include "server/daemon_options.h"

namespace warmpool {

// Parses the command line and sets the log level. `listen` stays empty where
// the command line does not tell. Prints help or an error and exits where
// absl's flags do (unknown flags, --help). INVALID_ARGUMENT, naming flag and
// value: values that make no sense together or alone.
absl::StatusOr<DaemonOptions> ParseDaemonFlags(int argc, char** argv);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_DAEMON_FLAGS_H_
