// SizeClass: the rounding bucket of a request. Four steps per doubling bound
// what rounding wastes to a quarter of the request (above 16 KiB; below, the
// page is the step).
#ifndef WARMPOOL_CORE_MEMORY_SIZE_CLASS_H_
#define WARMPOOL_CORE_MEMORY_SIZE_CLASS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/byte_size.h"

namespace warmpool {

inline constexpr size_t kPageSize = 4096;
inline constexpr size_t kHugePageSize = size_t{2} << 20;

// An index into the table of its SizeClasses. Ordered by size.
struct SizeClass {
  uint32_t index = 0;

  friend bool operator==(const SizeClass&, const SizeClass&) = default;
  friend auto operator<=>(const SizeClass&, const SizeClass&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const SizeClass& size_class) {
    return H::combine(std::move(h), size_class.index);
  }
};

// The table of classes from 4 KiB to a maximum. Immutable, so thread-safe.
// Invariants: bytes grow strictly with the index; all are multiples of the
// page size; the last is the maximum rounded up to a class.
class SizeClasses {
 public:
  static constexpr size_t kDefaultMaxBytes = kGiB;
  // A process has 2^47 bytes to map.
  static constexpr size_t kMaxMaxBytes = size_t{1} << 46;

  // REQUIRES: 1 <= max_bytes <= kMaxMaxBytes.
  explicit SizeClasses(size_t max_bytes = kDefaultMaxBytes);

  // The smallest class that holds `bytes`. INVALID_ARGUMENT, naming the value:
  // 0, or above max_bytes().
  absl::StatusOr<SizeClass> For(uint64_t bytes) const;

  // Bytes of a segment of the class.
  // REQUIRES: size_class came from For() of this table.
  size_t Bytes(SizeClass size_class) const { return bytes_[size_class.index]; }

  // The largest request allowed, in bytes.
  size_t max_bytes() const { return max_bytes_; }
  size_t count() const { return bytes_.size(); }

 private:
  const size_t max_bytes_;
  const std::vector<size_t> bytes_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_SIZE_CLASS_H_
