// Stock: segments made ahead of demand and never leased, on a shelf for each
// (uid, size class), and the book of what is wanted there.
//
// Demand is counted in leases that needed memory which was not retained, in the
// window that runs and the one before. A shelf wants as many segments as the
// busier of the two had such leases: so a burst like the last one finds them
// ready. What nobody has asked for during two windows, which is the decay, is
// not wanted any more. (Demand, which BigCache adapts by, tells how many are in
// use at once; a process that keeps all it leases never shows a swing.)
//
// It makes and ends nothing: the caller takes an order, makes the segment and
// puts it in, and ends what it is given.
//
// One segment at a time is made: `work` says whether one is, whether it is to
// be given up, and until when none may be begun.
//
// Externally synchronised.
// Invariants: segments and orders together have at most max_bytes, those of a
// shelf are at most max_per_class; a segment is on the shelf of its own uid and
// class.
#ifndef WARMPOOL_CORE_ENGINE_STOCK_H_
#define WARMPOOL_CORE_ENGINE_STOCK_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "core/engine/stock_work.h"
#include "core/memory/segment.h"
#include "core/memory/size_class.h"

namespace warmpool {

class Stock {
 public:
  // One such lease may be the only one there ever is; a second shows a habit.
  static constexpr size_t kMinDemand = 2;

  struct Options {
    // Bytes of all segments together. 0: nothing is ever wanted.
    uint64_t max_bytes = 0;
    // Segments of a shelf: small ones cost a file and a descriptor each.
    size_t max_per_class = 64;
    // What nobody asks for is not wanted after this long. Infinite: for ever.
    absl::Duration decay = absl::Seconds(10);
  };

  // A segment to be made.
  struct Order {
    uid_t owner = 0;
    SizeClass size_class;
    size_t bytes = 0;
  };

  explicit Stock(const Options& options) : options_(options) {}
  // REQUIRES: it is empty.
  ~Stock();

  // Counts a lease of a segment of `bytes` bytes that needs memory which is not
  // retained. Returns when to call TakeSurplus.
  absl::Time RecordDemand(uid_t owner, SizeClass size_class, size_t bytes,
                          absl::Time now);

  // The segment that was made last, or nullopt.
  std::optional<Segment> Take(uid_t owner, SizeClass size_class);
  // Whether Take would find one.
  bool Holds(uid_t owner, SizeClass size_class) const;
  // Whether their shelf, or any, lacks what PlaceOrder would find room for.
  bool Lacks(uid_t owner, SizeClass size_class) const;
  bool LacksAny() const;

  // The order for what is wanted most and takes `room` bytes at most: that of
  // the shelf with the fewest bytes, so that no class or uid takes the place of
  // the others. nullopt: nothing is wanted. Each order is to be followed by Put
  // or Cancel.
  std::optional<Order> PlaceOrder(uint64_t room, absl::Time now);
  void Put(Segment segment);
  void Cancel(const Order& order);

  // Takes out what is not wanted any more.
  std::vector<Segment> TakeSurplus(absl::Time now);
  // Takes out segments until they have `bytes` bytes or nothing is left; the
  // largest first, as a lease waits for their end.
  std::vector<Segment> TakeForRoom(uint64_t bytes);
  std::vector<Segment> TakeAll() { return TakeForRoom(UINT64_MAX); }

  StockWork& work() { return work_; }
  const StockWork& work() const { return work_; }

  // When TakeSurplus may have something to take; InfiniteFuture: not before the
  // next demand.
  absl::Time NextSurplus() const;

  size_t size() const { return segments_; }
  // Bytes of the segments, and of what is on order.
  uint64_t bytes() const { return bytes_; }
  uint64_t ordered_bytes() const { return ordered_bytes_; }

  // Aborts, saying what is wrong, unless the invariants hold.
  void CheckInvariants() const;

 private:
  // Largest class last; uids are told apart within a class.
  using Key = std::pair<SizeClass, uid_t>;
  struct Shelf {
    size_t segment_bytes = 0;
    // The oldest first.
    std::vector<Segment> segments;
    size_t ordered = 0;
    // Leases that needed memory: in the window that runs, and the one before.
    size_t demand = 0;
    size_t demand_before = 0;
    absl::Time window_end;

    uint64_t bytes() const {
      return (segments.size() + ordered) * segment_bytes;
    }
  };

  size_t Wanted(const Shelf& shelf) const;
  bool Lacks(const Shelf& shelf) const;
  // Starts a window where the one before is over.
  void Advance(Shelf& shelf, absl::Time now) const;
  Segment TakeFrom(Shelf& shelf, std::vector<Segment>::iterator segment);

  const Options options_;
  std::map<Key, Shelf> shelves_;
  size_t segments_ = 0;
  uint64_t bytes_ = 0;
  uint64_t ordered_bytes_ = 0;
  StockWork work_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_STOCK_H_
