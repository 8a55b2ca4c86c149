// What --help says, for tools that tell only what they have to say: Abseil's
// own --help would list the flags of all libraries, and exits with 1.
#ifndef WARMPOOL_CLIENT_TOOL_USAGE_H_
#define WARMPOOL_CLIENT_TOOL_USAGE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace warmpool {

// Whether the command line asks for help: --help, -help or -h before "--".
bool WantsHelp(int argc, char** argv);

// A paragraph for each flag: its name, default, and help text, wrapped for a
// terminal of 80 columns. REQUIRES: the flags are defined in this program.
std::string FlagsHelp(absl::Span<const absl::string_view> flags);

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_TOOL_USAGE_H_
