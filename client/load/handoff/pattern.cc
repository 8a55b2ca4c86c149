#include "client/load/handoff/pattern.h"

#include <cstring>

#include "absl/strings/str_format.h"

namespace warmpool {

uint64_t Pattern::ValueOf(uint64_t page) const {
  // Odd numbers without pattern, so that neighbours have nothing in common.
  uint64_t value = (seed + 1) * 0x9e3779b97f4a7c15;
  value = (value ^ round) * 0xd1342543de82ef95;
  value = (value ^ page) * 0xaf251af3b0f025b5;
  return value ^ (value >> 32);
}

void Pattern::Write(const Pieces& pieces) const {
  uint64_t page = 0;
  for (const std::span<std::byte> piece : pieces) {
    for (size_t at = 0; at < piece.size(); at += kPatternPage) {
      const uint64_t value = ValueOf(page++);
      std::memcpy(piece.data() + at, &value, sizeof(value));
    }
  }
}

absl::Status Pattern::Check(const ConstPieces& pieces, uint64_t bytes) const {
  uint64_t page = 0;
  uint64_t wrong = 0;
  uint64_t first_wrong = 0;
  uint64_t first_found = 0;
  uint64_t found_bytes = 0;
  for (const std::span<const std::byte> piece : pieces) {
    found_bytes += piece.size();
    for (size_t at = 0; at + sizeof(uint64_t) <= piece.size();
         at += kPatternPage, ++page) {
      uint64_t found;
      std::memcpy(&found, piece.data() + at, sizeof(found));
      if (found == ValueOf(page) || wrong++ > 0) continue;
      first_wrong = page;
      first_found = found;
    }
  }
  if (wrong > 0) {
    return absl::DataLossError(absl::StrFormat(
        "%d of %d pages of round %d are not as written, first page %d: %016x "
        "is there, %016x was written",
        wrong, page, round, first_wrong, first_found, ValueOf(first_wrong)));
  }
  if (found_bytes != bytes) {
    return absl::DataLossError(
        absl::StrFormat("round %d has %d bytes, %d were written", round,
                        found_bytes, bytes));
  }
  return absl::OkStatus();
}

}  // namespace warmpool
