// RunTool: a command-line tool, run to its end.
#ifndef WARMPOOL_TESTS_CLIENT_RUN_TOOL_H_
#define WARMPOOL_TESTS_CLIENT_RUN_TOOL_H_

#include <string>

namespace warmpool::testing {

struct ToolResult {
  int exit_code = -1;
  std::string out;
  std::string err;
};

// Runs `command_line` in a shell, with an empty standard input.
ToolResult RunTool(const std::string& command_line);

}  // namespace warmpool::testing

#endif  // WARMPOOL_TESTS_CLIENT_RUN_TOOL_H_
