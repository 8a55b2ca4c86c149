// TierShard: a few items that threads take out and put in without a lock. Many
// of them make a ThreadTier, which tells what that is for.
//
// Thread-safe, without locks.
#ifndef WARMPOOL_CORE_ENGINE_TIER_SHARD_H_
#define WARMPOOL_CORE_ENGINE_TIER_SHARD_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/memory/size_class.h"

namespace warmpool {

template <typename Item>
class alignas(64) TierShard {
 public:
  static constexpr size_t kSlots = 8;

  // The most bytes of an item in each slot. Items go to the last slot that has
  // room for them: where limits fall, small ones leave the larger slots free.
  using Limits = std::array<size_t, kSlots>;

  Item* Take(SizeClass size_class) {
    for (size_t i = kSlots; i-- > 0;) {
      uint64_t word = words_[i].load(std::memory_order_relaxed);
      if (!IsItem(word) || ClassIn(word) != size_class) continue;
      if (words_[i].compare_exchange_strong(word, kEmpty,
                                            std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
        // Not an increment: it would cost as much as the exchange.
        taken_.store(taken() + 1, std::memory_order_relaxed);
        return ItemIn(word);
      }
    }
    return nullptr;
  }

  bool Put(Item* item, const Limits& limits) {
    const size_t bytes = item->bytes();
    const uint64_t put = Word(item);
    if (ItemIn(put) != item) return false;
    for (size_t i = kSlots; i-- > 0;) {
      if (bytes > limits[i]) continue;
      uint64_t word = words_[i].load(std::memory_order_relaxed);
      if (word != kEmpty) continue;
      recent_[i].store(true, std::memory_order_relaxed);
      if (words_[i].compare_exchange_strong(word, put,
                                            std::memory_order_release,
                                            std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  template <typename TakeItem>
  bool Sweep(bool all, TakeItem& take) {
    bool left = false;
    for (size_t i = 0; i < kSlots; ++i) {
      uint64_t word = words_[i].load(std::memory_order_relaxed);
      if (!IsItem(word)) continue;
      if (recent_[i].exchange(false, std::memory_order_relaxed) && !all) {
        left = true;
        continue;
      }
      if (words_[i].compare_exchange_strong(word, kEmpty,
                                            std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
        take(ItemIn(word));
      }
    }
    return left;
  }

  template <typename TakeItem>
  void Close(TakeItem& take) {
    for (std::atomic<uint64_t>& slot : words_) {
      const uint64_t word = slot.exchange(kClosed, std::memory_order_acq_rel);
      if (IsItem(word)) take(ItemIn(word));
    }
  }
  void Open() {
    for (std::atomic<uint64_t>& slot : words_) {
      uint64_t word = kClosed;
      slot.compare_exchange_strong(word, kEmpty, std::memory_order_acq_rel,
                                   std::memory_order_relaxed);
    }
  }

  template <typename Weigh>
  uint64_t Count(Weigh& weigh) const {
    uint64_t sum = 0;
    for (const std::atomic<uint64_t>& slot : words_) {
      const uint64_t word = slot.load(std::memory_order_relaxed);
      if (IsItem(word)) sum += weigh(ClassIn(word));
    }
    return sum;
  }

  // Items that Take has given. Threads that take at once may lose some.
  uint64_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  // A slot is one word, so that class and item change together: the class in
  // the upper 16 bits, the pointer below, where user space of x86-64 and arm64
  // ends at 2^48 unless a process asks for more. Put refuses others.
  static constexpr uint64_t kEmpty = 0;
  static constexpr int kClassShift = 48;
  // Of a class that there is not.
  static constexpr uint64_t kClosed = uint64_t{0xffff} << kClassShift;

  static uint64_t Word(Item* item) {
    return uint64_t{item->size_class().index} << kClassShift |
           reinterpret_cast<uintptr_t>(item);
  }
  static bool IsItem(uint64_t word) {
    return word != kEmpty && word != kClosed;
  }
  static SizeClass ClassIn(uint64_t word) {
    return {static_cast<uint32_t>(word >> kClassShift)};
  }
  static Item* ItemIn(uint64_t word) {
    return reinterpret_cast<Item*>(word << (64 - kClassShift) >>
                                   (64 - kClassShift));
  }

  // One cache line.
  std::array<std::atomic<uint64_t>, kSlots> words_{};
  // Whether the item was put here since the last sweep.
  std::array<std::atomic<bool>, kSlots> recent_{};
  std::atomic<uint64_t> taken_{0};
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_TIER_SHARD_H_
