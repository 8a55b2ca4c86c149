#include "client/tool/usage.h"

#include "absl/flags/commandlineflag.h"
#include "absl/flags/reflection.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

constexpr size_t kColumns = 80;
constexpr absl::string_view kIndent = "      ";

// `text` in lines that start with kIndent and fit.
std::string Wrapped(absl::string_view text) {
  std::string lines;
  std::string line;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (!line.empty() && line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(&lines, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? kIndent : " ", word);
  }
  return absl::StrCat(lines, line, "\n");
}

}  // namespace

bool WantsHelp(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (argument == "--") return false;
    if (argument == "--help" || argument == "-help" || argument == "-h") {
      return true;
    }
  }
  return false;
}

std::string FlagsHelp(absl::Span<const absl::string_view> flags) {
  std::string text;
  for (const absl::string_view name : flags) {
    const absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(name);
    WARMPOOL_CHECK(flag != nullptr, "no such flag");
    absl::StrAppend(&text, "  --", name);
    // An empty default says nothing, and one of the kind "unset" no more.
    const std::string fallback = flag->DefaultValue();
    if (!fallback.empty()) absl::StrAppend(&text, "=", fallback);
    absl::StrAppend(&text, "\n", Wrapped(flag->Help()));
  }
  return text;
}

}  // namespace warmpool
