// The README's shell commands, run by a test.
#ifndef WARMPOOL_TESTS_CLIENT_EXAMPLES_README_COMMANDS_H_
#define WARMPOOL_TESTS_CLIENT_EXAMPLES_README_COMMANDS_H_

#include <string>
#include <vector>

#include "tests/client/run_tool.h"

namespace warmpool::testing {

// Runs a file of commands, in the order they have there, to the first that
// fails, after each of `edits`, a command of sed's. What they put in the
// background ends with them; scratch directories of theirs are the test's.
ToolResult RunReadmeCommands(const std::string& file,
                             const std::vector<std::string>& edits);

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_CLIENT_EXAMPLES_README_COMMANDS_H_
