#include "server/pause_detector.h"

#include <algorithm>

namespace warmpool {

absl::Time PauseDetector::Poll(absl::Time now) {
  grace_left_ =
      std::min(kMostGrace, grace_left_ + (now - last_look_) / kGraceShare);
  last_look_ = now;
  if (now - expected_ > kShortestPause) {
    const absl::Time begin = std::max(now, grace_end_);
    const absl::Duration granted = std::min(now + kGrace - begin, grace_left_);
    grace_left_ -= granted;
    grace_end_ = begin + granted;
  }
  return grace_end_;
}

absl::Time PauseDetector::NextLook(absl::Time now, absl::Time due) {
  const absl::Time look =
      due - now > kGrace ? due - kGrace : std::min(due, now + kBeat);
  expected_ = std::max(look, now);
  return expected_;
}

}  // namespace warmpool
