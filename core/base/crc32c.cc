#include "core/base/crc32c.h"

#include <array>
#include <cstring>

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

uint32_t ExtendByTable(uint32_t remainder, absl::string_view bytes) {
  for (const char byte : bytes) {
    const uint32_t index =
        (remainder ^ static_cast<unsigned char>(byte)) & 0xff;
    remainder = remainder >> 8 ^ kTable[index];
  }
  return remainder;
}

#if defined(__x86_64__)

// The processor's own instruction has this polynomial (Intel SDM, CRC32): eight
// bytes at a time, and no table that must be in the cache.
bool ProcessorHasIt() { return __builtin_cpu_supports("sse4.2"); }

__attribute__((target("sse4.2"))) uint32_t ExtendByProcessor(
    uint32_t remainder, absl::string_view bytes) {
  uint64_t wide = remainder;
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    wide = __builtin_ia32_crc32di(wide, word);
    bytes.remove_prefix(sizeof(word));
  }
  remainder = static_cast<uint32_t>(wide);
  for (const char byte : bytes) {
    remainder =
        __builtin_ia32_crc32qi(remainder, static_cast<unsigned char>(byte));
  }
  return remainder;
}

#else

bool ProcessorHasIt() { return false; }

uint32_t ExtendByProcessor(uint32_t remainder, absl::string_view bytes) {
  return ExtendByTable(remainder, bytes);
}

#endif

}  // namespace

uint32_t ExtendCrc32c(uint32_t crc, absl::string_view bytes) {
  static const bool by_processor = ProcessorHasIt();
  return by_processor ? ~ExtendByProcessor(~crc, bytes)
                      : ~ExtendByTable(~crc, bytes);
}

uint32_t ExtendCrc32cPortably(uint32_t crc, absl::string_view bytes) {
  return ~ExtendByTable(~crc, bytes);
}

}  // namespace warmpool
