// PauseDetector: notices that this process did not run for a while, because it
// was stopped, its control group was frozen or its machine was paused. What was
// due meanwhile gets a grace: its holder may not have run either, or its
// renewal waits in a socket.
//
// Its user looks at the clock through it, at the times that it asks for. A look
// that comes late shows a pause. Not thread-safe.
//
// A busy daemon looks late too, so graces are limited: those of one row add up
// to kMostGrace, and in the long run to a quarter of the time.
#ifndef WARMPOOL_SERVER_PAUSE_DETECTOR_H_
#define WARMPOOL_SERVER_PAUSE_DETECTOR_H_

#include "absl/time/time.h"

namespace warmpool {

class PauseDetector {
 public:
  // A shorter pause counts against holders.
  static constexpr absl::Duration kShortestPause = absl::Milliseconds(500);
  // What a client that runs again needs to renew its leases, many times over.
  // A pause that ends longer than this before a deadline is of no concern.
  static constexpr absl::Duration kGrace = absl::Seconds(3);
  static constexpr absl::Duration kMostGrace = absl::Seconds(12);

  explicit PauseDetector(absl::Time now) : expected_(now), last_look_(now) {}

  // Returns until when nothing that was due may be taken for overdue; a time in
  // the past: there was no pause lately.
  absl::Time Poll(absl::Time now);

  // When to look next, `due` being when something may become overdue. At once:
  // a look follows as soon as work that may take a moment is done.
  absl::Time NextLook(absl::Time now, absl::Time due);

 private:
  // While something is due within kGrace.
  static constexpr absl::Duration kBeat = absl::Milliseconds(250);
  static constexpr int kGraceShare = 4;

  absl::Time expected_;
  absl::Time last_look_;
  absl::Time grace_end_ = absl::InfinitePast();
  absl::Duration grace_left_ = kMostGrace;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_PAUSE_DETECTOR_H_
