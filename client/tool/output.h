// What a tool prints on standard output, and what happens where it can't.
#ifndef WARMPOOL_CLIENT_TOOL_OUTPUT_H_
#define WARMPOOL_CLIENT_TOOL_OUTPUT_H_

#include <string>

namespace warmpool {

// Call it first in main. When the process exits, by a return from main or by
// exit(3), what was printed is flushed; if any of it could not be written, one
// sentence on standard error says so, and the exit code is 1. That goes for a
// closed standard output too. `tool`, the name that the sentence begins with,
// must outlive the process.
void GuardOutput(const char* tool);

// Prints, and leaves nothing in a buffer. False: it can't be written, and a
// tool that goes on printing should stop. Not thread-safe.
bool PrintOut(const std::string& text);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TOOL_OUTPUT_H_
