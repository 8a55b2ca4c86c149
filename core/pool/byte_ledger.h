// ByteLedger: where every byte of the capacity is. Bytes change their state in
// one step, so at every instant
//   capacity = leased + retained + batched + stock + quarantined + overhead
//            + free.
#ifndef WARMPOOL_CORE_POOL_BYTE_LEDGER_H_
#define WARMPOOL_CORE_POOL_BYTE_LEDGER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include "core/base/check.h"

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
  uint64_t used() const {
    return std::accumulate(bytes_.begin(), bytes_.end(), uint64_t{0});
  }
  // 0 where what was taken over exceeds the capacity.
  uint64_t free() const {
    return used() < capacity_ ? capacity_ - used() : 0;
  }

  // Takes bytes from what is free. Taking more than that is for bytes that are
  // there already, such as an earlier daemon's.
  void Enter(ByteState state, uint64_t bytes) { Of(state) += bytes; }

  void Move(ByteState from, ByteState to, uint64_t bytes) {
    Leave(from, bytes);
    Enter(to, bytes);
  }

  // Gives bytes back to what is free.
  void Leave(ByteState state, uint64_t bytes) {
    WARMPOOL_CHECK(Of(state) >= bytes, "bytes leave a state they were not in");
    Of(state) -= bytes;
  }

 private:
  uint64_t& Of(ByteState state) { return bytes_[static_cast<size_t>(state)]; }

  uint64_t capacity_;
  std::array<uint64_t, kByteStateCount> bytes_{};
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_BYTE_LEDGER_H_
