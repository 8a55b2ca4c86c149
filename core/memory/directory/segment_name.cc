#include "core/memory/directory/segment_name.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace warmpool {
namespace {

constexpr absl::string_view kSegmentSuffix = ".seg";
constexpr absl::string_view kStraySuffix = ".stray";
// A name has 255 bytes at most; enough of it to recognise it by.
constexpr size_t kMaxTold = 100;

}  // namespace

std::string SegmentName(const RandomId& id) {
  return absl::StrCat(id.ToHex(), kSegmentSuffix);
}

bool IsSegmentName(absl::string_view name) {
  return absl::ConsumeSuffix(&name, kSegmentSuffix) &&
         RandomId::FromHex(name).has_value();
}

std::string NextSegmentName(absl::string_view name) {
  if (!absl::ConsumeSuffix(&name, kSegmentSuffix)) return std::string();
  std::optional<RandomId> id = RandomId::FromHex(name);
  if (!id.has_value()) return std::string();
  ++id->low;
  return SegmentName(*id);
}

std::string StrayName(absl::string_view name, const RandomId& id) {
  std::string told(name.substr(0, kMaxTold));
  for (char& letter : told) {
    const bool safe = absl::ascii_isalnum(static_cast<unsigned char>(letter)) ||
                      letter == '.' || letter == '_' || letter == '-';
    if (!safe) letter = '_';
  }
  return absl::StrCat(told, "-", id.ToHex(), kStraySuffix);
}

bool IsStrayName(absl::string_view name) {
  return absl::EndsWith(name, kStraySuffix);
}

}  // namespace warmpool
