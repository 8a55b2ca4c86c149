#include "core/base/byte_size.h"

#include <array>
#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace warmpool {
namespace {

constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};

absl::Status NotASize(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" is not a size: ", why,
                   " (write a number of bytes such as 4096, 64KiB, 2MiB, 4G)"));
}

// The unit's exponent of 1024, or -1.
int UnitExponent(absl::string_view unit) {
  const std::string lower = absl::AsciiStrToLower(unit);
  if (lower.empty() || lower == "b") return 0;
  const size_t exponent = absl::string_view("bkmgt").find(lower[0]);
  if (exponent == absl::string_view::npos || exponent == 0) return -1;
  const absl::string_view rest = absl::string_view(lower).substr(1);
  if (!rest.empty() && rest != "b" && rest != "ib") return -1;
  return static_cast<int>(exponent);
}

}  // namespace

absl::StatusOr<ByteSize> ParseByteSize(absl::string_view text) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  size_t digits = 0;
  while (digits < trimmed.size() &&
         (absl::ascii_isdigit(trimmed[digits]) || trimmed[digits] == '.')) {
    ++digits;
  }
  const absl::string_view number = trimmed.substr(0, digits);
  if (absl::StartsWith(trimmed, "-")) {
    return NotASize(text, "it is negative");
  }
  if (number.empty()) return NotASize(text, "it does not start with a number");
  const int exponent =
      UnitExponent(absl::StripAsciiWhitespace(trimmed.substr(digits)));
  if (exponent < 0) return NotASize(text, "its unit is not known");
  const uint64_t factor = uint64_t{1} << (10 * exponent);

  uint64_t whole;
  if (absl::SimpleAtoi(number, &whole)) {
    if (whole > UINT64_MAX / factor) return NotASize(text, "it is too large");
    return ByteSize{whole * factor};
  }
  double value;
  if (!absl::SimpleAtod(number, &value)) {
    return NotASize(text, "its number can't be read");
  }
  const double bytes = value * static_cast<double>(factor);
  // 2^64 as a double; the comparison is exact.
  if (!(bytes < 18446744073709551616.0)) {
    return NotASize(text, "it is too large");
  }
  if (bytes != std::floor(bytes)) {
    return NotASize(text, "it is not a whole number of bytes");
  }
  return ByteSize{static_cast<uint64_t>(bytes)};
}

std::string FormatByteSize(uint64_t bytes) {
  size_t unit = 0;
  uint64_t factor = 1;
  while (unit + 1 < kUnits.size() && bytes / factor >= 1024) {
    factor *= 1024;
    ++unit;
  }
  if (bytes % factor == 0) {
    return absl::StrCat(bytes / factor, " ", kUnits[unit]);
  }
  return absl::StrFormat(
      "%.2f %s", static_cast<double>(bytes) / static_cast<double>(factor),
      kUnits[unit]);
}

bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error) {
  const absl::StatusOr<ByteSize> parsed = ParseByteSize(text);
  if (!parsed.ok()) {
    *error = std::string(parsed.status().message());
    return false;
  }
  *size = *parsed;
  return true;
}

std::string AbslUnparseFlag(const ByteSize& size) {
  for (int exponent = 4; exponent > 0; --exponent) {
    const uint64_t factor = uint64_t{1} << (10 * exponent);
    if (size.bytes >= factor && size.bytes % factor == 0) {
      return absl::StrCat(size.bytes / factor, kUnits[exponent]);
    }
  }
  return absl::StrCat(size.bytes);
}

}  // namespace warmpool
