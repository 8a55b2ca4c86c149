#include "client/tool/format.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace warmpool {
namespace {

constexpr int64_t kSecondsPerMinute = 60;
constexpr int64_t kSecondsPerHour = 60 * kSecondsPerMinute;
constexpr int64_t kSecondsPerDay = 24 * kSecondsPerHour;

// `value` is below 1000 or has no larger unit.
std::string ThreeDigits(double value, const char* unit) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return absl::StrFormat("%.*f %s", decimals, value, unit);
}

}  // namespace

std::string FormatCount(uint64_t count) {
  const std::string digits = absl::StrCat(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}

std::string FormatCounts(
    std::initializer_list<std::pair<absl::string_view, uint64_t>> counts) {
  return absl::StrJoin(counts, ", ", [](std::string* out, const auto& count) {
    absl::StrAppend(out, count.first, " ", FormatCount(count.second));
  });
}

std::string FormatLatency(absl::Duration latency) {
  const double ns = absl::ToDoubleNanoseconds(latency);
  // What would be rounded to 1000 of a unit is 1 of the next.
  if (ns < 999.5) return absl::StrFormat("%.0f ns", ns);
  if (ns < 999.5e3) return ThreeDigits(ns / 1e3, "us");
  if (ns < 999.5e6) return ThreeDigits(ns / 1e6, "ms");
  return ThreeDigits(ns / 1e9, "s");
}

std::string FormatAge(absl::Duration age) {
  const int64_t seconds = absl::ToInt64Seconds(age);
  if (seconds < kSecondsPerMinute) return absl::StrCat(seconds, "s");
  if (seconds < kSecondsPerHour) {
    return absl::StrFormat("%dm%02ds", seconds / kSecondsPerMinute,
                           seconds % kSecondsPerMinute);
  }
  if (seconds < kSecondsPerDay) {
    return absl::StrFormat("%dh%02dm", seconds / kSecondsPerHour,
                           seconds % kSecondsPerHour / kSecondsPerMinute);
  }
  return absl::StrFormat("%dd%02dh", seconds / kSecondsPerDay,
                         seconds % kSecondsPerDay / kSecondsPerHour);
}

std::string FormatShare(uint64_t part, uint64_t whole) {
  if (whole == 0) return "-";
  return absl::StrFormat("%.1f %%", 100.0 * static_cast<double>(part) /
                                        static_cast<double>(whole));
}

}  // namespace warmpool
