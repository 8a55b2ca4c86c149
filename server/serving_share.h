// ServingShare: how much of the serving thread's time each uid takes, and whose
// requests workers are to carry out instead: those of a uid that takes more than its
// share while others are there. Workers serve uids in turn (server/workers.h), so
// whoever asks for much waits for himself.
//
// For the serving thread alone.
#ifndef WARMPOOL_SERVER_SERVING_SHARE_H_
#define WARMPOOL_SERVER_SERVING_SHARE_H_

#include <sys/types.h>

#include <cstddef>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "core/base/clock.h"

namespace warmpool {

class ServingShare {
 public:
  // Time is counted in windows of this length: what others wait for at most, but
  // for a moment.
  static constexpr absl::Duration kWindow = absl::Milliseconds(10);

  // `clock` must outlive this.
  explicit ServingShare(const Clock* clock) : clock_(*clock) {}

  // Whether the uid has used up its share of the window that `now` is in: half of
  // the window divided by the uids that were served in it or in the one before.
  // One that is alone has all of the thread.
  bool IsUsedUp(uid_t uid, absl::Time now);

  // The uid was served from `begun` on.
  void Charge(uid_t uid, absl::Time begun);

 private:
  struct Use {
    absl::Duration time;
    // When it was served last.
    absl::Time at;
  };

  void Turn(absl::Time now);

  const Clock& clock_;
  absl::Time window_end_ = absl::InfinitePast();
  // Of those that were served in this window or the one before.
  absl::flat_hash_map<uid_t, Use> uses_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SERVING_SHARE_H_
