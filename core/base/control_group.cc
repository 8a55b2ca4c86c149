#include "core/base/control_group.h"

#include <fstream>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace warmpool {

std::string ReadSmallFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

std::optional<uint64_t> ReadNumber(const std::string& path) {
  uint64_t number = 0;
  if (!absl::SimpleAtoi(ReadSmallFile(path), &number)) return std::nullopt;
  return number;
}

bool HasController(absl::string_view list, absl::string_view controller) {
  for (const absl::string_view one : absl::StrSplit(list, ',')) {
    if (one == controller) return true;
  }
  return false;
}

std::vector<ControlGroup> ReadControlGroups(const std::string& file) {
  const std::string text = ReadSmallFile(file);
  std::vector<ControlGroup> groups;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    // "8:pids:/path" of v1, "0::/path" of v2.
    const std::vector<std::string> fields =
        absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() < 3) continue;
    groups.push_back(
        {fields[0] == "0" && fields[1].empty(), fields[1], fields[2]});
  }
  return groups;
}

}  // namespace warmpool
