// ByteSize: a number of bytes as people write it: 4096, 64KiB, 2MiB, 4G.
#ifndef WARMPOOL_CORE_BASE_BYTE_SIZE_H_
#define WARMPOOL_CORE_BASE_BYTE_SIZE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace warmpool {

inline constexpr uint64_t kKiB = uint64_t{1} << 10;
inline constexpr uint64_t kMiB = uint64_t{1} << 20;
inline constexpr uint64_t kGiB = uint64_t{1} << 30;

struct ByteSize {
  uint64_t bytes = 0;

  friend bool operator==(const ByteSize&, const ByteSize&) = default;
};

// Reads a decimal number with an optional unit: B, K, KB, KiB, M, MB, MiB, G,
// GB, GiB, T, TB, TiB, in any case. All units are powers of 1024, as in
// mount(8). INVALID_ARGUMENT, naming the text: anything else, a negative
// number, a fraction of a byte, or 2^64 bytes and more.
absl::StatusOr<ByteSize> ParseByteSize(absl::string_view text);

// In the largest unit that leaves at least 1 before the point: "2 MiB",
// "1.50 GiB", "17 B".
std::string FormatByteSize(uint64_t bytes);

// Found by absl's flags through the type's namespace; they make ByteSize the
// type of a flag without a dependency on the flags library.
bool AbslParseFlag(absl::string_view text, ByteSize* size, std::string* error);
std::string AbslUnparseFlag(const ByteSize& size);

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_BYTE_SIZE_H_
