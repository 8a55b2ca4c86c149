#include "core/memory/size_class.h"

#include <bit>

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
  // Up to 16 KiB a class is a page; from there on the doubling and the quarter
  // of it are bits of the size. (A search of the table takes 15 ns more.)
  const uint64_t last = bytes - 1;
  if (last < 4 * kPageSize) {
    return SizeClass{static_cast<uint32_t>(last / kPageSize)};
  }
  const int doubling = std::bit_width(last) - 1;
  const uint32_t quarter = (last >> (doubling - 2)) & 3;
  const uint32_t from_16_kib = static_cast<uint32_t>(doubling - 14);
  return SizeClass{4 + 4 * from_16_kib + quarter};
}

}  // namespace warmpool
