#include "tests/torture/sabotage.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace warmpool::torture {
namespace {

constexpr std::pair<absl::string_view, Sabotage> kNames[] = {
    {"double_grant", Sabotage::kDoubleGrant},
    {"leaked_file", Sabotage::kLeakedFile},
    {"no_pages", Sabotage::kNoPages},
    {"deaf_daemon", Sabotage::kDeafDaemon},
    {"no_journal", Sabotage::kNoJournal},
    {"lost_lease", Sabotage::kLostLease},
    {"changed_seal", Sabotage::kChangedSeal},
    {"kept_memory", Sabotage::kKeptMemory},
    {"old_journal", Sabotage::kOldJournal},
};

}  // namespace

std::optional<Sabotage> SabotageNamed(absl::string_view name) {
  for (const auto& [known, sabotage] : kNames) {
    if (known == name) return sabotage;
  }
  return std::nullopt;
}

std::string NameOf(Sabotage sabotage) {
  for (const auto& [name, known] : kNames) {
    if (known == sabotage) return std::string(name);
  }
  return "";
}

std::string SabotageNames() {
  return absl::StrJoin(kNames, ", ", [](std::string* text, const auto& name) {
    absl::StrAppend(text, name.first);
  });
}

bool IsByDaemon(Sabotage sabotage) {
  return sabotage != Sabotage::kNone && sabotage < Sabotage::kLostLease;
}

}  // namespace warmpool::torture
