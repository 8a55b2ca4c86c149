// CRC-32C (Castagnoli): the checksum of what is kept in files. It finds every
// change of up to 32 neighbouring bits, which is why a flipped byte never
// passes.
#ifndef WARMPOOL_CORE_BASE_CRC32C_H_
#define WARMPOOL_CORE_BASE_CRC32C_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace warmpool {

// The checksum of the bytes that `crc` is the checksum of, followed by `bytes`.
// Different values of `crc` give different results for the same bytes.
uint32_t ExtendCrc32c(uint32_t crc, absl::string_view bytes);
// The same, without the processor's instruction for it: what those that lack it
// use.
uint32_t ExtendCrc32cPortably(uint32_t crc, absl::string_view bytes);

inline uint32_t Crc32c(absl::string_view bytes) {
  return ExtendCrc32c(0, bytes);
}

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_CRC32C_H_
