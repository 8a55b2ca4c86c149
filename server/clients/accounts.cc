#include "server/clients/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace warmpool {
namespace {

// uid_t and gid_t are both of this size (Linux, include/linux/types.h).
using Id = uint32_t;
static_assert(sizeof(uid_t) == sizeof(Id) && sizeof(gid_t) == sizeof(Id));
// What chown(2) and others take for "none".
constexpr Id kNone = std::numeric_limits<Id>::max();

// Looks an account up with a function like getpwnam_r(3), which wants memory
// whose size it does not tell.
template <typename Entry, typename Function>
std::optional<Entry> LookUp(const std::string& name, Function function,
                            std::vector<char>* memory) {
  for (memory->resize(1 << 10); memory->size() <= (1 << 20);
       memory->resize(memory->size() * 2)) {
    Entry entry;
    Entry* found = nullptr;
    const int error =
        function(name.c_str(), &entry, memory->data(), memory->size(), &found);
    if (error == ERANGE) continue;
    if (error == 0 && found != nullptr) return entry;
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Id> UserNamed(const std::string& name) {
  std::vector<char> memory;
  const auto entry = LookUp<passwd>(name, getpwnam_r, &memory);
  if (!entry.has_value()) return std::nullopt;
  return entry->pw_uid;
}

std::optional<Id> GroupNamed(const std::string& name) {
  std::vector<char> memory;
  const auto entry = LookUp<group>(name, getgrnam_r, &memory);
  if (!entry.has_value()) return std::nullopt;
  return entry->gr_gid;
}

absl::StatusOr<absl::flat_hash_set<Id>> Parse(
    absl::string_view list, const char* kind,
    std::optional<Id> (*named)(const std::string&)) {
  absl::flat_hash_set<Id> ids;
  if (absl::StripAsciiWhitespace(list).empty()) return ids;
  for (const absl::string_view part : absl::StrSplit(list, ',')) {
    const std::string entry(absl::StripAsciiWhitespace(part));
    Id number = kNone;
    const std::optional<Id> id = absl::SimpleAtoi(entry, &number)
                                     ? std::optional<Id>(number)
                                     : named(entry);
    if (!id.has_value() || *id == kNone) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", entry, "\" is no ", kind,
                       ": give numbers or names, separated by commas"));
    }
    ids.insert(*id);
  }
  return ids;
}

}  // namespace

absl::StatusOr<absl::flat_hash_set<uid_t>> ParseUsers(absl::string_view list) {
  return Parse(list, "user", UserNamed);
}

absl::StatusOr<absl::flat_hash_set<gid_t>> ParseGroups(absl::string_view list) {
  return Parse(list, "group", GroupNamed);
}

}  // namespace warmpool
