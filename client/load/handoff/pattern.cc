#include "client/load/handoff/pattern.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_format.h"

namespace warmpool {
namespace {

// Calls `with_value` with the first 8 bytes of each page, however they are cut.
// Returns how many bytes there are in all.
template <typename Function>
uint64_t ForEachValue(const ConstPieces& pieces, Function with_value) {
  uint64_t bytes = 0;
  std::byte value[sizeof(uint64_t)];
  size_t collected = 0;
  // To the next byte of a value.
  size_t skip = 0;
  for (std::span<const std::byte> left : pieces) {
    bytes += left.size();
    while (skip < left.size()) {
      left = left.subspan(skip);
      skip = 0;
      const size_t count = std::min(sizeof(value) - collected, left.size());
      std::memcpy(value + collected, left.data(), count);
      left = left.subspan(count);
      collected += count;
      if (collected < sizeof(value)) break;
      uint64_t whole;
      std::memcpy(&whole, value, sizeof(whole));
      with_value(whole);
      collected = 0;
      skip = kPatternPage - sizeof(value);
    }
    skip -= std::min(skip, left.size());
  }
  return bytes;
}

}  // namespace

uint64_t Pattern::ValueOf(uint64_t page) const {
  // Odd numbers without pattern, so that neighbours have nothing in common.
  uint64_t value = (seed + 1) * 0x9e3779b97f4a7c15;
  value = (value ^ round) * 0xd1342543de82ef95;
  value = (value ^ page) * 0xaf251af3b0f025b5;
  return value ^ (value >> 32);
}

void Pattern::Write(std::span<std::byte> bytes) const {
  for (size_t page = 0; page < bytes.size() / kPatternPage; ++page) {
    const uint64_t value = ValueOf(page);
    std::memcpy(bytes.data() + page * kPatternPage, &value, sizeof(value));
  }
}

absl::Status Pattern::Check(const ConstPieces& pieces, uint64_t bytes) const {
  uint64_t page = 0;
  uint64_t wrong = 0;
  uint64_t first_wrong = 0;
  uint64_t first_found = 0;
  const auto check = [&](uint64_t found) {
    if (found != ValueOf(page) && wrong++ == 0) {
      first_wrong = page;
      first_found = found;
    }
    ++page;
  };
  const uint64_t found_bytes = ForEachValue(pieces, check);
  if (wrong > 0) {
    return absl::DataLossError(absl::StrFormat(
        "%d of %d pages of round %d are not as written, first page %d: %016x "
        "is there, %016x was written",
        wrong, page, round, first_wrong, first_found, ValueOf(first_wrong)));
  }
  if (found_bytes != bytes) {
    return absl::DataLossError(absl::StrFormat(
        "round %d has %d bytes, %d were written", round, found_bytes, bytes));
  }
  return absl::OkStatus();
}

}  // namespace warmpool
