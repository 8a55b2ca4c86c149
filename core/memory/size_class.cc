#include "core/memory/size_class.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace warmpool {
namespace {

std::vector<size_t> MakeTable(size_t max_bytes) {
  std::vector<size_t> table;
  for (size_t doubling = kPageSize;; doubling *= 2) {
    for (size_t quarter = 0; quarter < 4; ++quarter) {
      const size_t exact = doubling + doubling / 4 * quarter;
      const size_t bytes = (exact + kPageSize - 1) / kPageSize * kPageSize;
      if (table.empty() || bytes > table.back()) table.push_back(bytes);
      if (bytes >= max_bytes) return table;
    }
  }
}

}  // namespace

SizeClasses::SizeClasses(size_t max_bytes)
    : max_bytes_(max_bytes), bytes_(MakeTable(max_bytes)) {}

absl::StatusOr<SizeClass> SizeClasses::For(uint64_t bytes) const {
  if (bytes == 0) {
    return absl::InvalidArgumentError(
        "size 0 bytes: a buffer has at least 1 byte");
  }
  if (bytes > max_bytes_) {
    // A negative size arrives as its two's complement.
    const int64_t as_signed = static_cast<int64_t>(bytes);
    return absl::InvalidArgumentError(absl::StrCat(
        "size ", bytes, " bytes",
        as_signed < 0 ? absl::StrCat(" (", as_signed, " as a signed number)")
                      : "",
        " is above the maximum of ", max_bytes_, " bytes (",
        FormatByteSize(max_bytes_), ")"));
  }
  const auto it = std::lower_bound(bytes_.begin(), bytes_.end(), bytes);
  return SizeClass{static_cast<uint32_t>(it - bytes_.begin())};
}

}  // namespace warmpool
