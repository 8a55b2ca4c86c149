#include "client/tool/output.h"

#include <errno.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace warmpool {
namespace {

const char* tool_name = "";
// Of the write that failed; stdio keeps only that one did.
int output_error = 0;

void CheckOutput() {
  // What others than PrintOut printed, such as Abseil's --version.
  if (std::fflush(stdout) != 0) output_error = errno;
  if (std::ferror(stdout) == 0) return;
  const char* const reason = output_error != 0 ? std::strerror(output_error)
                                               : "an earlier write failed";
  std::fprintf(stderr, "%s: can't write to standard output: %s\n", tool_name,
               reason);
  _exit(1);
}

}  // namespace

void GuardOutput(const char* tool) {
  tool_name = tool;
  std::atexit(CheckOutput);
}

bool PrintOut(const std::string& text) {
  const bool printed =
      std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
  if (!printed) output_error = errno;
  return printed;
}

}  // namespace warmpool
