// Effects: what must follow a change in the LeaseBook, applied after its lock
// is released: watches and waiting requests are woken, segments go back to the
// SegmentPool, and Tick is scheduled for what is due.
//
// An Effects object is declared before the lock it outlives:
//
//   Effects effects(&parts);
//   MutexLock lock(&parts.book.mutex);
//   effects.Return(parts.book.Unpin(buffer));
//
// Belongs to one thread.
#ifndef WARMPOOL_CORE_POOL_EFFECTS_H_
#define WARMPOOL_CORE_POOL_EFFECTS_H_

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "core/book/attach_waits.h"
#include "core/memory/segment.h"
#include "core/pool/pool_parts.h"

namespace warmpool {

class Effects {
 public:
  // `parts` must outlive this.
  explicit Effects(PoolParts* parts) : parts_(*parts) {}
  // REQUIRES: the calling thread holds no lock.
  ~Effects();
  Effects(const Effects&) = delete;
  Effects& operator=(const Effects&) = delete;

  // Returns the segment of a buffer that is gone: the pool proves it free and
  // retains it.
  void Return(std::optional<Segment> segment) {
    if (segment.has_value()) returned_.push_back(*std::move(segment));
  }
  void Wake(AttachWaits::First waits) { waits_ = std::move(waits); }
  // Makes Tick run by then. REQUIRES: what is due is in the book when the
  // effects are applied. Otherwise a Tick in between would miss it.
  void ScheduleTick(absl::Time due) { due_ = due; }

 private:
  PoolParts& parts_;
  std::vector<Segment> returned_;
  AttachWaits::First waits_;
  absl::Time due_ = absl::InfiniteFuture();
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_EFFECTS_H_
