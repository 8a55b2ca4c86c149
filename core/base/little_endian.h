// Integers as bytes, the lowest first, whatever the machine's own order: for
// what is kept in files, or goes to another process.
#ifndef WARMPOOL_CORE_BASE_LITTLE_ENDIAN_H_
#define WARMPOOL_CORE_BASE_LITTLE_ENDIAN_H_

#include <cstddef>
#include <string>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace warmpool {

// Appends the sizeof(Integer) bytes of `value`.
template <typename Integer>
void PutLittleEndian(Integer value, std::string* out) {
  const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
  char bytes[sizeof(Integer)];
  for (size_t i = 0; i < sizeof(Integer); ++i) {
    bytes[i] = static_cast<char>(bits >> 8 * i & 0xff);
  }
  out->append(bytes, sizeof(bytes));
}

// Reads bytes from front to back. A read of more than is left fails, reads
// nothing, and leaves what it would have set as it was. Not thread-safe.
class LittleEndianReader {
 public:
  explicit LittleEndianReader(absl::string_view bytes) : left_(bytes) {}

  absl::string_view left() const { return left_; }

  template <typename Integer>
  [[nodiscard]] bool Get(Integer* value) {
    absl::string_view bytes;
    if (!GetBytes(sizeof(Integer), &bytes)) return false;
    std::make_unsigned_t<Integer> read = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      read = static_cast<decltype(read)>(
          read | static_cast<decltype(read)>(byte) << 8 * i);
    }
    *value = static_cast<Integer>(read);
    return true;
  }

  [[nodiscard]] bool GetBytes(size_t count, absl::string_view* bytes) {
    if (left_.size() < count) return false;
    *bytes = left_.substr(0, count);
    left_.remove_prefix(count);
    return true;
  }

 private:
  absl::string_view left_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_LITTLE_ENDIAN_H_
