// The daemon's main, for warmpoold and for tests that run it on other system
// calls.
#ifndef WARMPOOL_SERVER_RUN_DAEMON_H_
#define WARMPOOL_SERVER_RUN_DAEMON_H_

#include <functional>

#include "server/daemon_options.h"

namespace warmpool {

// Parses the flags, lets `adjust` (which may be null) change what they say, and
// serves until the daemon is stopped. Returns the process's exit code.
int RunDaemon(int argc, char** argv,
              const std::function<void(DaemonOptions*)>& adjust = nullptr);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RUN_DAEMON_H_
