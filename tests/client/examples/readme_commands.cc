#include "tests/client/examples/readme_commands.h"

#include <fstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace warmpool::testing {

ToolResult RunReadmeCommands(const std::string& file,
                             const std::vector<std::string>& edits) {
  std::string sed = "sed";
  for (const std::string& edit : edits)
    absl::StrAppend(&sed, " -e '", edit, "'");
  const ToolResult edited = RunTool(absl::StrCat(sed, " ", file));
  EXPECT_EQ(edited.exit_code, 0) << edited.err;

  const std::string script = absl::StrCat(::testing::TempDir(), "/commands.sh");
  std::ofstream(script) << "set -e\ntrap 'kill $(jobs -p) || true' EXIT\n"
                        << edited.out;
  // Debian's Python goes first: it is the one that has Debian's gRPC.
  return RunTool(absl::StrCat("PATH=/usr/bin:/bin:$PATH TMPDIR=",
                              ::testing::TempDir(), " bash ", script));
}

}  // namespace warmpool::testing
