// Workers: a few threads for what takes too long for the serving thread: making
// memory, opening files, going through many leases.
//
// Uids are served in turn, and one uid has some of the threads at most: whoever
// asks for much waits for himself.
#ifndef WARMPOOL_SERVER_SCHEDULING_WORKERS_H_
#define WARMPOOL_SERVER_SCHEDULING_WORKERS_H_

#include <sys/types.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

// Thread-safe.
// Invariants: a uid has at most threads_per_uid works running; one that could
// have another begun is in the order of turns once.
class Workers {
 public:
  struct Options {
    int threads = 1;
    int threads_per_uid = 1;
    // Works of one uid that wait, for TryRun.
    size_t max_waiting_per_uid = 4096;
  };

  explicit Workers(const Options& options) : options_(options) {}
  // Stops.
  ~Workers();

  // Starts the threads. RESOURCE_EXHAUSTED, naming the limit: there are too
  // few.
  absl::Status Start();

  // REQUIRES: it was started. Runs `work` for `uid` on one of the threads;
  // works of one uid begin in the order of the calls. RESOURCE_EXHAUSTED: the
  // uid has too many that wait.
  absl::Status TryRun(uid_t uid, std::function<void()> work);
  // The same, for what must be done and is bounded elsewhere.
  void Run(uid_t uid, std::function<void()> work);

  // Returns once all work is done; later work runs in its caller. Does nothing
  // the second time.
  void Stop();

 private:
  struct Queue {
    std::deque<std::function<void()>> waiting;
    int running = 0;
    bool in_turns = false;
  };

  // What is to be done next, and for whom; null: nothing any more.
  std::function<void()> Next(uid_t* uid);
  void Done(uid_t uid);
  void GiveTurnLocked(uid_t uid, Queue* queue)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Main();

  const Options options_;
  Mutex mutex_;
  CondVar changed_;
  // None is empty and idle.
  absl::flat_hash_map<uid_t, Queue> queues_ ABSL_GUARDED_BY(mutex_);
  // Uids that may have a work begun, the next first.
  std::deque<uid_t> turns_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Thread> threads_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_SCHEDULING_WORKERS_H_
