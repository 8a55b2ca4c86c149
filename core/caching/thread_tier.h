// ThreadTier: a few items a thread, in front of a cache that has a lock. Taking
// one and putting it back costs an atomic exchange each, and no lock: two lock
// pairs on one mutex were measured at 84 ns with one thread, far more with two.
//
// Threads are spread over shards. A shard belongs to no thread: what one left
// behind is found by the next of the same shard, or by Sweep, so that nothing
// has to happen when a thread ends.
//
// Thread-safe, without locks. Bounded: kSlots items a shard, none of more than
// max_item_bytes bytes.
#ifndef WARMPOOL_CORE_CACHING_THREAD_TIER_H_
#define WARMPOOL_CORE_CACHING_THREAD_TIER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/check.h"
#include "core/memory/size_class.h"

namespace warmpool {

// The number of the calling thread, counted from the first that asked.
inline uint32_t ThreadNumber() {
  static std::atomic<uint32_t> next{0};
  thread_local const uint32_t number =
      next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

// Items are borrowed: whoever destroys the tier has swept everything out. An
// Item has size_class() and bytes(), which do not change while it is here.
template <typename Item>
class ThreadTier {
 public:
  static constexpr size_t kShards = 16;
  // Of whatever class: a thread that works on many blocks of one class finds
  // as many of them here as one that works on many classes.
  static constexpr size_t kSlots = 8;

  explicit ThreadTier(size_t max_item_bytes)
      : max_item_bytes_(max_item_bytes) {}

  ~ThreadTier() {
    WARMPOOL_CHECK(Count([](SizeClass) { return 1; }) == 0,
                   "ThreadTier destroyed before it was swept");
  }

  // An item of the class, or null.
  Item* Take(SizeClass size_class) {
    Shard& shard = ShardOfThread();
    for (size_t i = 0; i < kSlots; ++i) {
      Slot& slot = shard.SlotAt(size_class, i);
      uint64_t word = slot.word.load(std::memory_order_relaxed);
      if (word == kEmpty || ClassIn(word) != size_class) continue;
      if (slot.word.compare_exchange_strong(word, kEmpty,
                                            std::memory_order_acquire,
                                            std::memory_order_relaxed)) {
        return ItemIn(word);
      }
    }
    return nullptr;
  }

  // False if there is no room for it: the item stays the caller's.
  bool Put(Item* item) {
    if (item->bytes() > max_item_bytes_) return false;
    const uint64_t put = Word(item);
    if (ItemIn(put) != item) return false;
    Shard& shard = ShardOfThread();
    for (size_t i = 0; i < kSlots; ++i) {
      Slot& slot = shard.SlotAt(item->size_class(), i);
      uint64_t word = slot.word.load(std::memory_order_relaxed);
      if (word != kEmpty) continue;
      slot.recent.store(true, std::memory_order_relaxed);
      if (slot.word.compare_exchange_strong(word, put,
                                            std::memory_order_release,
                                            std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // Takes out every item that was here at the last Sweep already, or all, and
  // gives each to `take`. True if any item stays.
  template <typename TakeItem>
  bool Sweep(bool all, TakeItem take) {
    bool left = false;
    for (Shard& shard : shards_) {
      for (Slot& slot : shard.slots) {
        if (slot.word.load(std::memory_order_relaxed) == kEmpty) continue;
        if (slot.recent.exchange(false, std::memory_order_relaxed) && !all) {
          left = true;
          continue;
        }
        const uint64_t word =
            slot.word.exchange(kEmpty, std::memory_order_acquire);
        if (word != kEmpty) take(ItemIn(word));
      }
    }
    return left;
  }

  // The sum of `weigh(size_class)` over the items here. Exact only while
  // nobody takes or puts.
  template <typename Weigh>
  uint64_t Count(Weigh weigh) const {
    uint64_t sum = 0;
    for (const Shard& shard : shards_) {
      for (const Slot& slot : shard.slots) {
        const uint64_t word = slot.word.load(std::memory_order_relaxed);
        if (word != kEmpty) sum += weigh(ClassIn(word));
      }
    }
    return sum;
  }

 private:
  // A slot is one word, so that class and item change together: the class in
  // the upper 16 bits, the pointer below, where user space of x86-64 and arm64
  // ends at 2^48 unless a process asks for more. Put refuses others.
  static constexpr uint64_t kEmpty = 0;
  static constexpr int kClassShift = 48;

  struct Slot {
    std::atomic<uint64_t> word{kEmpty};
    // Put here since the last sweep.
    std::atomic<bool> recent{false};
  };
  struct alignas(64) Shard {
    std::array<Slot, kSlots> slots;

    // The slots in the order in which a class looks at them: the first is
    // another one for each of its neighbours, so that the only item of a class
    // is found at once.
    Slot& SlotAt(SizeClass size_class, size_t i) {
      return slots[(size_class.index + i) % kSlots];
    }
  };

  static uint64_t Word(Item* item) {
    return uint64_t{item->size_class().index} << kClassShift |
           reinterpret_cast<uintptr_t>(item);
  }
  static SizeClass ClassIn(uint64_t word) {
    return {static_cast<uint32_t>(word >> kClassShift)};
  }
  static Item* ItemIn(uint64_t word) {
    return reinterpret_cast<Item*>(word << (64 - kClassShift) >>
                                   (64 - kClassShift));
  }
  Shard& ShardOfThread() { return shards_[ThreadNumber() % kShards]; }

  const size_t max_item_bytes_;
  std::array<Shard, kShards> shards_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_CACHING_THREAD_TIER_H_
