// Unproven: segments whose leases have just ended, and whose proof is put off.
// The next lease of the uid and class takes the newest of them and has it
// proven then, as any that is taken must be: so in steady traffic a segment is
// proven once from one lease to the next. What nobody takes within a moment is
// proven by whoever calls SegmentPool::Tick.
//
// What TakeDue gives out for its proof counts as unproven until OnProven.
//
// Externally synchronised; it makes no system call itself.
// Invariants: at most kMaxSegments wait here, the oldest first.
#ifndef WARMPOOL_CORE_ENGINE_UNPROVEN_H_
#define WARMPOOL_CORE_ENGINE_UNPROVEN_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "core/engine/checked_out.h"
#include "core/memory/segment.h"
#include "core/memory/size_class.h"

namespace warmpool {

class Unproven {
 public:
  // All are looked at for every lease.
  static constexpr size_t kMaxSegments = 16;

  // `within`: for how long a proof is put off. Zero: not at all.
  explicit Unproven(absl::Duration within) : within_(within) {}

  // Whether one more may be added.
  bool Accepts() const {
    return within_ > absl::ZeroDuration() && entries_.size() < kMaxSegments;
  }
  // REQUIRES: Accepts(); `now` never goes back.
  void Add(Segment segment, absl::Time now);

  size_t CountOf(uid_t owner, SizeClass size_class) const;
  // The one added last.
  std::optional<Segment> Take(uid_t owner, SizeClass size_class);
  // Those that were added `within` ago or earlier. OnProven must follow for
  // each.
  std::vector<Segment> TakeDue(absl::Time now);
  // A segment of `bytes` bytes that TakeDue gave out counts elsewhere.
  void OnProven(uint64_t bytes) { proving_.Remove(bytes); }

  // When the next is due; InfiniteFuture if nothing waits here.
  absl::Time NextDue() const;

  // Of those that wait here and those that are out for their proof.
  size_t size() const { return entries_.size() + proving_.segments(); }
  uint64_t bytes() const;
  bool is_proving() const { return proving_.segments() > 0; }

  // Aborts, saying what is wrong, unless the invariants hold.
  void CheckInvariants() const;

 private:
  struct Entry {
    Segment segment;
    absl::Time due;
  };

  std::deque<Entry>::const_iterator Find(uid_t owner,
                                         SizeClass size_class) const;

  const absl::Duration within_;
  std::deque<Entry> entries_;
  CheckedOut proving_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_UNPROVEN_H_
