#include "core/base/user_namespace.h"

#include <errno.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace warmpool {
namespace {

// Of every kernel so far; a machine may set another
// (/proc/sys/kernel/overflowuid).
constexpr uid_t kUsualOverflowUid = 65534;
// All but the last, (uid_t)-1, which is nobody's.
constexpr uint64_t kAllUids = UINT32_MAX;

std::string ReadFile(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file),
          std::istreambuf_iterator<char>()};
}

uid_t OverflowUid() {
  static const uid_t uid = [] {
    uint32_t found = kUsualOverflowUid;
    const std::string text = ReadFile("/proc/sys/kernel/overflowuid");
    return absl::SimpleAtoi(text, &found) ? found : kUsualOverflowUid;
  }();
  return uid;
}

}  // namespace

bool MapsAllUsers(absl::string_view uid_map) {
  // Lines of "inside outside count".
  uint64_t mapped = 0;
  for (const absl::string_view line : absl::StrSplit(uid_map, '\n')) {
    const std::vector<absl::string_view> fields =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    uint64_t count = 0;
    if (fields.size() == 3 && absl::SimpleAtoi(fields[2], &count)) {
      mapped += count;
    }
  }
  return mapped >= kAllUids;
}

bool MayBeAnyUser(uid_t uid) {
  if (uid != OverflowUid()) return false;
  // Not kept: a namespace gets its map once, but after its first process
  // started.
  std::ifstream map("/proc/self/uid_map");
  // A kernel without user namespaces; in doubt, as without a descriptor, it
  // may.
  if (!map) return errno != ENOENT;
  return !MapsAllUsers(std::string(std::istreambuf_iterator<char>(map),
                                   std::istreambuf_iterator<char>()));
}

}  // namespace warmpool
