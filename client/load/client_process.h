// What a process of a ProcessCrew does in place of the load generator's main.
#ifndef WARMPOOL_CLIENT_LOAD_CLIENT_PROCESS_H_
#define WARMPOOL_CLIENT_LOAD_CLIENT_PROCESS_H_

#include "client/load/load_options.h"

namespace warmpool {

// Connects, waits for the start, makes the run of client `index`, and writes
// what it measured. Returns the exit code.
int RunClientProcess(const LoadOptions& options, int index);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_CLIENT_PROCESS_H_
