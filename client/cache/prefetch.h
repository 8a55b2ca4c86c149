// Prefetch: how many leases of which size class a lease cache should ask for
// ahead of need: of a class that has missed repeatedly just now, as many as it
// has missed; fewer where such leases went back unused before.
//
// Misses are counted in periods. Externally synchronised.
// Invariants: a limit is within 1 to kMaxAhead; nothing is due while no class
// has kMinMisses.
#ifndef WARMPOOL_CLIENT_CACHE_PREFETCH_H_
#define WARMPOOL_CLIENT_CACHE_PREFETCH_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/time/time.h"
#include "core/memory/size_class.h"

namespace warmpool {

class Prefetch {
 public:
  struct Wish {
    SizeClass size_class;
    size_t count = 0;
  };

  struct Counts {
    uint64_t granted = 0;
    uint64_t unused = 0;
  };

  // In 20 ms a thread that does nothing but lease misses a hundred times at
  // most; a class that misses once in it gains nothing worth a message.
  static constexpr absl::Duration kPeriod = absl::Milliseconds(20);
  static constexpr size_t kMinMisses = 2;
  // Of one class; as many as the daemon takes in one request.
  static constexpr size_t kMaxAhead = 64;

  // `classes` must outlive this.
  explicit Prefetch(const SizeClasses* classes) : classes_(*classes) {}

  // A lease of the class found none in the cache. Starts a period unless one is
  // under way.
  void Missed(SizeClass size_class, absl::Time now);

  // A lease of the class came ahead of need.
  void Granted() { ++counts_.granted; }
  // One went back without having been used. However many they are, the class's
  // next wish is for a half at most of what the last might have been for; after
  // a wish without, twice as many are allowed again.
  void Unused(SizeClass size_class);

  // When there will be wishes to take; InfiniteFuture: not as things stand.
  absl::Time due() const;

  // Ends the period if that is over; its wishes, `room_bytes` bytes at most.
  std::vector<Wish> Take(absl::Time now, uint64_t room_bytes);

  // Memory is short: what has missed in this period does not count.
  void Forget();

  const Counts& counts() const { return counts_; }

  // Aborts, saying what is wrong, unless the invariants hold.
  void CheckInvariants() const;

 private:
  struct ClassState {
    // In this period.
    size_t misses = 0;
    size_t limit = kMaxAhead;
    bool unused = false;
  };

  const SizeClasses& classes_;
  std::map<SizeClass, ClassState> states_;
  absl::Time period_end_ = absl::InfinitePast();
  // Of all classes, the most misses in this period.
  size_t most_misses_ = 0;
  Counts counts_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_CACHE_PREFETCH_H_
