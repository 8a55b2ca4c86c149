#include "client/cli/doctor/text_files.h"

#include <fstream>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace warmpool::doctor {

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::string> ReadLines(const std::string& path) {
  const std::string text = ReadText(path);
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

std::optional<std::string> ValueOf(const std::vector<std::string>& lines,
                                   absl::string_view key) {
  for (const std::string& line : lines) {
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, key)) {
      return std::string(absl::StripAsciiWhitespace(rest));
    }
  }
  return std::nullopt;
}

std::optional<uint64_t> NumberIn(absl::string_view text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty());
  uint64_t number = 0;
  if (words.empty() || !absl::SimpleAtoi(words[0], &number)) {
    return std::nullopt;
  }
  return number;
}

}  // namespace warmpool::doctor
