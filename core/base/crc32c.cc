#include "core/base/crc32c.h"

#include <array>

namespace warmpool {
namespace {

// The polynomial, its bits reversed (RFC 3720, appendix B.4).
constexpr uint32_t kPolynomial = 0x82f63b78;

// What each value of a byte does to the remainder.
constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      const uint32_t carry = (remainder & 1) != 0 ? kPolynomial : 0;
      remainder = remainder >> 1 ^ carry;
    }
    table[byte] = remainder;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, absl::string_view bytes) {
  uint32_t remainder = ~crc;
  for (const char byte : bytes) {
    const uint32_t index = (remainder ^ static_cast<unsigned char>(byte)) & 0xff;
    remainder = remainder >> 8 ^ kTable[index];
  }
  return ~remainder;
}

}  // namespace warmpool
