// ThreadTier: a few items a thread, in front of a cache that has a lock. Taking
// one and putting it back costs an atomic exchange each, and no lock: two lock
// pairs on one mutex were measured at 84 ns with one thread, far more with two.
//
// Threads are spread over shards. A shard belongs to no thread: what one left
// behind is found by the next of the same shard, or by Sweep, so that nothing
// has to happen when a thread ends.
//
// Thread-safe, without locks. Bounded: kSlots items a shard, each slot with a
// limit of its own on the bytes of its item.
//
// A tier can be closed, which each slot shows: nothing is put in any more, not
// even by a thread that was about to when Close looked. So its owner may forget
// about a closed tier, or destroy it, whatever those threads do.
#ifndef WARMPOOL_CORE_ENGINE_THREAD_TIER_H_
#define WARMPOOL_CORE_ENGINE_THREAD_TIER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/base/check.h"
#include "core/engine/tier_shard.h"
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
// Item has size_class() and bytes(), which do not change while it is here. Once
// Put has taken it, another thread may have it, or have ended it.
template <typename Item>
class ThreadTier {
 public:
  static constexpr size_t kShards = 16;
  // Of whatever class: a thread that works on many blocks of one class finds
  // as many of them here as one that works on many classes.
  static constexpr size_t kSlots = TierShard<Item>::kSlots;
  // Of a shard's slots.
  using Limits = typename TierShard<Item>::Limits;

  // Limits by which all shards together hold `total_bytes` at most: a half of a
  // shard's part for one item, a quarter for the next, and so on.
  static Limits LimitsWithin(uint64_t total_bytes) {
    Limits limits;
    uint64_t part = total_bytes / kShards;
    for (size_t& limit : limits) limit = part /= 2;
    return limits;
  }
  static Limits EqualLimits(size_t max_item_bytes) {
    Limits limits;
    limits.fill(max_item_bytes);
    return limits;
  }

  explicit ThreadTier(const Limits& limits) : limits_(limits) {}
  explicit ThreadTier(size_t max_item_bytes)
      : ThreadTier(EqualLimits(max_item_bytes)) {}

  ~ThreadTier() {
    WARMPOOL_CHECK(Count([](SizeClass) { return 1; }) == 0,
                   "ThreadTier destroyed before it was swept");
  }

  // An item of the class, or null.
  Item* Take(SizeClass size_class) { return ShardOfThread().Take(size_class); }

  // False if there is no room for it: the item stays the caller's.
  bool Put(Item* item) { return ShardOfThread().Put(item, limits_); }

  // Takes out every item that was here at the last Sweep already, or all, and
  // gives each to `take`. True if any item stays.
  template <typename TakeItem>
  bool Sweep(bool all, TakeItem take) {
    bool left = false;
    for (TierShard<Item>& shard : shards_) left |= shard.Sweep(all, take);
    return left;
  }

  // Gives what is in the tier to `take`, and lets nothing in until Open. Not at
  // the same time as another Close or Open.
  template <typename TakeItem>
  void Close(TakeItem take) {
    for (TierShard<Item>& shard : shards_) shard.Close(take);
  }
  void Open() {
    for (TierShard<Item>& shard : shards_) shard.Open();
  }

  // The sum of `weigh(size_class)` over the items here. Exact only while
  // nobody takes or puts.
  template <typename Weigh>
  uint64_t Count(Weigh weigh) const {
    uint64_t sum = 0;
    for (const TierShard<Item>& shard : shards_) sum += shard.Count(weigh);
    return sum;
  }

  // Items that Take has given; a little less where more threads than there are
  // shards take at once.
  uint64_t taken() const {
    uint64_t sum = 0;
    for (const TierShard<Item>& shard : shards_) sum += shard.taken();
    return sum;
  }

 private:
  TierShard<Item>& ShardOfThread() { return shards_[ThreadNumber() % kShards]; }

  const Limits limits_;
  std::array<TierShard<Item>, kShards> shards_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_THREAD_TIER_H_
