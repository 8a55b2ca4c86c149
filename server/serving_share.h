// ServingShare: how much of the serving thread's time each uid takes. One that takes
// more than its share, while others are there, is made to wait: its Sessions are not
// read for the rest of a window, and workers carry out its unary calls, uids in turn
// (server/workers.h). What it sends meanwhile waits in the kernel.
//
// Thread-safe. A thread of its own lets those go on that were made to wait.
#ifndef WARMPOOL_SERVER_SERVING_SHARE_H_
#define WARMPOOL_SERVER_SERVING_SHARE_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

class ServingShare {
 public:
  // Time is counted in windows of this length. A uid takes half of one at a stretch
  // at most, and one request more, so that is what others wait for: as long as a
  // few warm leases.
  static constexpr absl::Duration kWindow = absl::Milliseconds(4);
  // Of those of one uid that wait, as many go on when a window begins as its share
  // is likely to be enough for, and this many at most; some more each time that one
  // of them has been served and there is time left.
  static constexpr int64_t kMostResumed = 64;

  // `clock` must outlive this.
  explicit ServingShare(const Clock* clock) : clock_(*clock) {}
  // Stops.
  ~ServingShare();

  // Starts the thread. RESOURCE_EXHAUSTED, naming the limit: there is none.
  absl::Status Start();

  // Whether the uid has used up its share of the window that `now` is in: half of
  // the window divided by the uids that were served in it or in the one before, and
  // what the others have had on average if that is more. One that is alone has all
  // of the thread.
  bool IsUsedUp(uid_t uid, absl::Time now);

  // REQUIRES: it was started. Calls `go_on` at once, or on another thread once
  // the uid has time again.
  void WhenThereIsTime(uid_t uid, std::function<void()> go_on);

  // The uid was served from `begun` on, with a request that takes so many bytes in
  // memory: gRPC has unpacked it on the serving thread before.
  void Charge(uid_t uid, absl::Time begun, size_t request_bytes);

  // Lets all go on, and makes nobody wait any more. Does nothing the second time.
  void Stop();

 private:
  using Waiting = std::deque<std::function<void()>>;
  struct Use {
    absl::Duration time;
    // When it was served last.
    absl::Time at;
    // What one request takes, of late.
    absl::Duration each;
  };

  // Of each that is served.
  absl::Duration ShareLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TurnLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsUsedUpLocked(uid_t uid, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes out as many of the uid's that wait.
  void TakeLocked(uid_t uid, size_t most, Waiting* taken)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Main();
  // While the uid has time left.
  void LetSomeGoOn(uid_t uid);
  // Takes out those that go on as a window begins. False: there is no further one.
  bool AwaitWindow(Waiting* taken);

  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  absl::Time window_end_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Windows are numbered; that in which some went on last.
  uint64_t window_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t resumed_in_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of those that were served in this window or the one before, or that wait.
  absl::flat_hash_map<uid_t, Use> uses_ ABSL_GUARDED_BY(mutex_);
  // None is empty.
  absl::flat_hash_map<uid_t, Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SERVING_SHARE_H_
