#include "core/base/random_id.h"

#include <errno.h>
#include <sys/random.h>

#include <cstdlib>
#include <cstring>

namespace warmpool {
namespace {

// The value of one lower-case hexadecimal digit, or -1.
int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Up to 256 bytes.
void Fill(void* bytes, size_t count) {
  ssize_t got;
  do {
    got = getrandom(bytes, count, 0);
  } while (got < 0 && errno == EINTR);
  // Requests of up to 256 bytes are never cut short once the pool is seeded
  // (getrandom(2)); without random ids nothing here is safe.
  if (got != static_cast<ssize_t>(count)) std::abort();
}

}  // namespace

std::optional<RandomId> RandomId::FromBytes(absl::string_view bytes) {
  if (bytes.size() != kBytes) return std::nullopt;
  RandomId id;
  for (size_t i = 0; i < kBytes; ++i) {
    uint64_t& half = i < 8 ? id.high : id.low;
    half = half << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return id;
}

std::string RandomId::ToBytes() const {
  std::string bytes(kBytes, '\0');
  for (size_t i = 0; i < kBytes; ++i) {
    const uint64_t half = i < 8 ? high : low;
    bytes[i] = static_cast<char>(half >> (56 - 8 * (i % 8)));
  }
  return bytes;
}

std::optional<RandomId> RandomId::FromHex(absl::string_view hex) {
  if (hex.size() != 2 * kBytes) return std::nullopt;
  RandomId id;
  for (size_t i = 0; i < hex.size(); ++i) {
    const int digit = HexDigit(hex[i]);
    if (digit < 0) return std::nullopt;
    uint64_t& half = i < kBytes ? id.high : id.low;
    half = half << 4 | static_cast<uint64_t>(digit);
  }
  return id;
}

std::string RandomId::ToHex() const {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex(2 * kBytes, '0');
  for (size_t i = 0; i < hex.size(); ++i) {
    const uint64_t half = i < kBytes ? high : low;
    hex[i] = kDigits[half >> (60 - 4 * (i % kBytes)) & 0xf];
  }
  return hex;
}

KernelRandom& KernelRandom::Get() {
  static KernelRandom* const random = new KernelRandom;
  return *random;
}

RandomId KernelRandom::Next() {
  RandomId id;
  Fill(&id, sizeof(id));
  return id;
}

RandomId BatchedRandom::Next() {
  MutexLock lock(&mutex_);
  if (left_ == 0) {
    Fill(ids_.data(), sizeof(ids_));
    left_ = kBatch;
  }
  return ids_[--left_];
}

}  // namespace warmpool
