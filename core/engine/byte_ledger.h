// ByteLedger: where every byte of the capacity is, of each size class and in
// all. Bytes change their state in one step, so at every instant
//   capacity = leased + retained + batched + stock + quarantined + overhead
//            + free,
// and all but overhead and free are the sums over the size classes.
#ifndef WARMPOOL_CORE_ENGINE_BYTE_LEDGER_H_
#define WARMPOOL_CORE_ENGINE_BYTE_LEDGER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include "core/base/check.h"
#include "core/memory/size_class.h"

namespace warmpool {

enum class ByteState {
  // Under a lease, or being made for one.
  kLeased,
  kRetained,
  kBatched,
  kStock,
  kQuarantined,
  // Files of the daemon's own.
  kOverhead,
};
inline constexpr size_t kByteStateCount = 6;

// Externally synchronised.
class ByteLedger {
 public:
  explicit ByteLedger(uint64_t capacity) : capacity_(capacity) {}

  uint64_t capacity() const { return capacity_; }
  uint64_t in(ByteState state) const {
    return bytes_[static_cast<size_t>(state)];
  }
  // The same, of the segments of one class.
  uint64_t in(ByteState state, SizeClass size_class) const {
    return size_class.index < by_class_.size()
               ? by_class_[size_class.index][static_cast<size_t>(state)]
               : 0;
  }
  uint64_t used() const {
    return std::accumulate(bytes_.begin(), bytes_.end(), uint64_t{0});
  }
  // 0 where what was taken over exceeds the capacity.
  uint64_t free() const { return used() < capacity_ ? capacity_ - used() : 0; }

  // Takes bytes of a segment from what is free. Taking more than that is for
  // bytes that are there already, such as an earlier daemon's.
  void Enter(ByteState state, SizeClass size_class, uint64_t bytes) {
    bytes_[static_cast<size_t>(state)] += bytes;
    Of(state, size_class) += bytes;
  }

  void Move(ByteState from, ByteState to, SizeClass size_class,
            uint64_t bytes) {
    Leave(from, size_class, bytes);
    Enter(to, size_class, bytes);
  }

  // Gives bytes back to what is free.
  void Leave(ByteState state, SizeClass size_class, uint64_t bytes) {
    WARMPOOL_CHECK(Of(state, size_class) >= bytes,
                   "bytes leave a state they were not in");
    bytes_[static_cast<size_t>(state)] -= bytes;
    Of(state, size_class) -= bytes;
  }

  // Bytes of files of the daemon's own.
  void EnterOverhead(uint64_t bytes) {
    bytes_[static_cast<size_t>(ByteState::kOverhead)] += bytes;
  }

 private:
  using Bytes = std::array<uint64_t, kByteStateCount>;

  uint64_t& Of(ByteState state, SizeClass size_class) {
    if (size_class.index >= by_class_.size()) {
      by_class_.resize(size_class.index + 1);
    }
    return by_class_[size_class.index][static_cast<size_t>(state)];
  }

  uint64_t capacity_;
  Bytes bytes_{};
  // By index; those beyond the end have nothing.
  std::vector<Bytes> by_class_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_BYTE_LEDGER_H_
