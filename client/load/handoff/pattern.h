// Pattern: what a producer writes, 8 bytes to each page of 4 KiB, and its
// consumer looks for.
#ifndef WARMPOOL_CLIENT_LOAD_HANDOFF_PATTERN_H_
#define WARMPOOL_CLIENT_LOAD_HANDOFF_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"

namespace warmpool {

inline constexpr size_t kPatternPage = 4096;

// The bytes of one round in order, cut anywhere.
using ConstPieces = std::vector<std::span<const std::byte>>;

// Other values for another seed, round or page.
struct Pattern {
  uint64_t seed = 0;
  uint64_t round = 0;

  uint64_t ValueOf(uint64_t page) const;
  void Write(std::span<std::byte> bytes) const;
  // DATA_LOSS: some pages do not have their value, or there are more or fewer
  // than `bytes` have; the message tells the first.
  absl::Status Check(const ConstPieces& pieces, uint64_t bytes) const;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LOAD_HANDOFF_PATTERN_H_
