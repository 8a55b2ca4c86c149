#include "core/pool/effects.h"

#include <utility>

namespace warmpool {

Effects::~Effects() {
  parts_.events.Wake();
  parts_.waker.Wake(std::move(waits_));
  for (Segment& segment : returned_) {
    parts_.segments.Return(std::move(segment));
  }
  if (due_ < absl::InfiniteFuture()) parts_.segments.ScheduleTick(due_);
}

}  // namespace warmpool
