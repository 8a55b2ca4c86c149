// Reconciler: when a client reconciles with the daemon: once after each loss of
// the connection, in the background, and again after a pause until it has
// succeeded.
//
// Thread-safe. The steps are called under no lock, by one thread at a time: the
// reconciler's own after Start(), otherwise whoever calls RunDue().
#ifndef WARMPOOL_CLIENT_LEASES_RECONCILER_H_
#define WARMPOOL_CLIENT_LEASES_RECONCILER_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/leases/ticker.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"

namespace warmpool {

class Reconciler {
 public:
  struct Steps {
    // Whether the connection was lost since this was asked last.
    std::function<bool()> notice_loss;
    // Not OK: to be tried again. UNAVAILABLE and DEADLINE_EXCEEDED: there is no
    // daemon; others: it is there, and has no word on some leases.
    std::function<absl::Status()> assert_known;
    // Not OK, or false: to be tried again.
    std::function<absl::StatusOr<bool>()> release_forgotten;
  };

  // How often a client that makes no calls looks whether its connection was
  // lost. Its leases last longer than this, and a look costs some 10 us.
  static constexpr absl::Duration kLookEvery = absl::Seconds(1);

  // The pause before the next try: at random between a half of it and all of
  // it, so that many clients do not come back at the same moment, and doubled
  // with every try. Not longer, because a daemon that is back must soon know
  // which leases are held. One that was told, and has no word on some of them,
  // may have none the next time either, and it costs a call for every hundred.
  static constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
  static constexpr absl::Duration kLongestPause = absl::Milliseconds(500);
  static constexpr absl::Duration kLongestPauseUndecided = absl::Seconds(10);

  // `clock` must outlive this.
  Reconciler(const Clock* clock, Steps steps);

  // The connection was lost: what is known must be asserted, and what is
  // forgotten released.
  void RecordLoss();
  // The daemon may have, or be about to grant, what nobody waits for any more.
  void RecordForgotten();

  // Does what is due. Returns when to come back. Not to be called after
  // Start().
  absl::Time RunDue();

  // Gets the thread for Start: see Ticker.
  absl::Status Prepare() { return ticker_.Prepare(); }
  // Calls RunDue() whenever something is due, from a thread that it starts the
  // first time.
  void Start() { ticker_.Start(); }
  // Waits for a step that is under way; there will be no other. The destructor
  // does it too.
  void Stop() { ticker_.Stop(); }

 private:
  struct Work {
    bool assert_known = false;
    bool release_forgotten = false;
    bool empty() const { return !assert_known && !release_forgotten; }
    void Add(const Work& more) {
      assert_known |= more.assert_known;
      release_forgotten |= more.release_forgotten;
    }
  };

  // What is left of some work, and for how long it may rest at most.
  struct Rest {
    Work work;
    absl::Duration longest_pause = kLongestPause;
  };

  // Does `work` as far as it can.
  Rest Do(Work work);
  absl::Time NextRunLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Note(Work work);

  const Clock& clock_;
  const Steps steps_;

  Mutex mutex_;
  Work work_ ABSL_GUARDED_BY(mutex_);
  // Zero unless the last try failed.
  absl::Duration pause_ ABSL_GUARDED_BY(mutex_);
  // No try before this.
  absl::Time not_before_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();

  // Last: its thread calls RunDue.
  Ticker ticker_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_LEASES_RECONCILER_H_
