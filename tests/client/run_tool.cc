#include "tests/client/run_tool.h"

#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace warmpool::testing {
namespace {

std::string Contents(const std::string& path) {
  std::stringstream contents;
  contents << std::ifstream(path).rdbuf();
  return contents.str();
}

}  // namespace

ToolResult RunTool(const std::string& command_line) {
  const std::string out = absl::StrCat(::testing::TempDir(), "/tool.out");
  const std::string err = absl::StrCat(::testing::TempDir(), "/tool.err");
  const int status = std::system(
      absl::StrCat(command_line, " </dev/null >", out, " 2>", err).c_str());
  return {.exit_code =
              WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = Contents(out),
          .err = Contents(err)};
}

}  // namespace warmpool::testing
