// What a process of a pair does in place of the load generator's main: serves
// as the consumer, or makes a producer's run.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_PROCESS_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_PROCESS_H_

#include "client/load/handoff/handoff_options.h"

namespace warmpool {

// Connects and says so. A consumer then serves until its standard input ends; a
// producer waits for the start, makes its run, and writes what it measured.
// Returns the exit code.
int RunHandoffProcess(const HandoffOptions& options, const HandoffRole& role);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_HANDOFF_PROCESS_H_
