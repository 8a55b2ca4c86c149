// BigCache: segments whose lease has ended, kept with their pages for the next
// lease. A ring for each (uid, size class), newest first.
//
// BigCache retains for warm reuse; on cold eviction, hand off to Batch; only
// Batch may munmap. So it ends nothing: what it can't keep it returns to the
// caller as evictions.
//
// Externally synchronised.
// Invariants: a ring holds at most its limit (the one retained last included);
// all rings together hold at most max_bytes; a segment is in one ring, that of
// its own uid and class; rings and the common order agree.
#ifndef WARMPOOL_CORE_ENGINE_BIGCACHE_H_
#define WARMPOOL_CORE_ENGINE_BIGCACHE_H_

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "core/engine/demand.h"
#include "core/memory/segment.h"

namespace warmpool {

// Why a segment went cold.
enum class EvictionReason {
  // Its ring had no slot left.
  kRingFull,
  // All rings together held more bytes than allowed.
  kByteCap,
  // Nobody asked for it for the decay time.
  kDecayed,
  // Its bytes were needed for a lease.
  kForRoom,
  // The pool is draining.
  kDrained,
  // The machine is short of memory.
  kPressure,
  // It is not fit for another lease any more.
  kUnfit,
  // An administrator asked for it.
  kTrimmed,
};
inline constexpr size_t kEvictionReasonCount = 8;

struct Eviction {
  Segment segment;
  EvictionReason reason;
};

class BigCache {
 public:
  // What an adaptive ring keeps even where demand does not swing.
  static constexpr size_t kMinAdaptiveSlots = 4;

  struct Options {
    // Segments that a ring keeps. nullopt: adaptive, the recent peak-to-trough
    // of the demand of its uid and class (see Demand), kMinAdaptiveSlots at
    // least. That is the default because a cold page costs far more than a kept
    // one (core/DESIGN.md), and because max_bytes and decay bound what is kept.
    std::optional<size_t> slots = std::nullopt;
    // Bytes that all rings together keep.
    uint64_t max_bytes = UINT64_MAX;
    // A segment not reused for so long is evicted. Infinite: never.
    absl::Duration decay = absl::Seconds(10);
  };

  struct Counts {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t retained = 0;
    std::array<uint64_t, kEvictionReasonCount> evictions{};

    uint64_t evictions_total() const;
    Counts& operator+=(const Counts& other);
  };

  // What the rings of one size class hold together, whoever's they are.
  struct Occupancy {
    size_t segments = 0;
    // Segments that they may hold at this moment.
    size_t slots = 0;
  };

  explicit BigCache(const Options& options);
  ~BigCache();

  // The segment of `owner` and `size_class` that was retained last, or nullopt.
  std::optional<Segment> Take(uid_t owner, SizeClass size_class,
                              absl::Time now);

  // Segments of theirs that could be retained before one is evicted for want of
  // a slot.
  size_t SlotsLeft(uid_t owner, SizeClass size_class, absl::Time now);

  // Counts a segment that came back and went out again before it was retained
  // in a ring, which is the same to whoever counts.
  void RecordPassedOn(SizeClass size_class) {
    ++CountsOf(size_class).retained;
    ++CountsOf(size_class).hits;
  }

  // Whether Take would find one.
  bool Holds(uid_t owner, SizeClass size_class) const;

  // Tells that a demand was met without Take, or that a segment in use was not
  // retained in the end: adaptive rings count what is in use.
  void RecordAcquired(uid_t owner, SizeClass size_class, absl::Time now);
  void RecordDropped(uid_t owner, SizeClass size_class, absl::Time now);

  // Retains `segment`; the evictions it causes are appended to `*evicted` (the
  // segment itself may be among them).
  void Retain(Segment segment, absl::Time now, std::vector<Eviction>* evicted);

  // Evicts what has not been reused for the decay time. Returns when to come
  // back, InfiniteFuture if nothing is retained.
  absl::Time EvictDecayed(absl::Time now, std::vector<Eviction>* evicted);

  // Evicts the coldest segments until `bytes` bytes were evicted or nothing is
  // left.
  void EvictForRoom(uint64_t bytes, std::vector<Eviction>* evicted);

  // Evicts every segment that is `unfit`. Looks at them all.
  void EvictIf(absl::FunctionRef<bool(const Segment&)> unfit,
               std::vector<Eviction>* evicted);

  // Evicts everything.
  void EvictAll(EvictionReason reason, std::vector<Eviction>* evicted);

  uint64_t retained_bytes() const { return retained_bytes_; }
  size_t retained_segments() const { return order_.size(); }
  // Of all classes together.
  Counts counts() const;
  // By the classes' indices; those beyond the end were never asked for.
  const std::vector<Counts>& class_counts() const { return counts_; }
  std::vector<Occupancy> ClassOccupancy() const;
  // When the next segment decays; InfiniteFuture if none.
  absl::Time NextDecay() const;

  // Aborts, saying what is wrong, unless the invariants hold.
  void CheckInvariants() const;

 private:
  struct Entry {
    Segment segment;
    absl::Time retained_at;
  };
  // All retained segments, the coldest first.
  using Order = std::list<Entry>;
  using Key = std::pair<uid_t, SizeClass>;
  struct Ring {
    // Oldest at the front, newest at the back.
    std::deque<Order::iterator> slots;
    Demand demand;
  };

  size_t LimitOf(const Ring& ring) const;
  Counts& CountsOf(SizeClass size_class);
  Ring& RingOf(uid_t owner, SizeClass size_class, absl::Time now);
  // Evicts one entry of `ring`.
  void Evict(Ring& ring, std::deque<Order::iterator>::iterator slot,
             EvictionReason reason, std::vector<Eviction>* evicted);
  // Evicts the coldest entry of `ring`.
  void EvictFrom(Ring& ring, EvictionReason reason,
                 std::vector<Eviction>* evicted);
  // Evicts the coldest entry of all.
  void EvictColdest(EvictionReason reason, std::vector<Eviction>* evicted);

  const Options options_;
  Order order_;
  absl::flat_hash_map<Key, Ring> rings_;
  uint64_t retained_bytes_ = 0;
  // By the classes' indices.
  std::vector<Counts> counts_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_BIGCACHE_H_
