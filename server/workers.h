// Workers: a few threads for what takes too long for the serving thread: making
// memory, opening files, going through all leases.
#ifndef WARMPOOL_SERVER_WORKERS_H_
#define WARMPOOL_SERVER_WORKERS_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"

namespace warmpool {

// Thread-safe.
class Workers {
 public:
  explicit Workers(int threads);
  // Stops.
  ~Workers();

  // Runs `work` on one of the threads, in the order of the calls.
  void Run(std::function<void()> work);

  // Returns once all work is done; later work runs in its caller. Does nothing
  // the second time.
  void Stop();

 private:
  void Main();

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_WORKERS_H_
