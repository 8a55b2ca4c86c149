// BoundedTaskQueue: the threads of an HttpServer, and no more connections than
// these and a few that wait. Whoever opens more finds them in the kernel's queue:
// they take none of the daemon's descriptors.
#ifndef WARMPOOL_SERVER_HTTP_BOUNDED_TASK_QUEUE_H_
#define WARMPOOL_SERVER_HTTP_BOUNDED_TASK_QUEUE_H_

#include <cstddef>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "core/base/mutex.h"
#include "httplib.h"

namespace warmpool {

// Thread-safe.
class BoundedTaskQueue final : public httplib::TaskQueue {
 public:
  BoundedTaskQueue(size_t threads, size_t most)
      : most_(most), threads_(threads) {}

  // Waits until fewer than `most` tasks wait or run.
  void enqueue(std::function<void()> task) override {
    {
      MutexLock lock(&mutex_);
      while (tasks_ >= most_) ended_.Wait(&mutex_);
      ++tasks_;
    }
    threads_.enqueue([this, task = std::move(task)] {
      task();
      {
        MutexLock lock(&mutex_);
        --tasks_;
      }
      ended_.NotifyOne();
    });
  }

  void shutdown() override { threads_.shutdown(); }

 private:
  const size_t most_;
  Mutex mutex_;
  CondVar ended_;
  size_t tasks_ ABSL_GUARDED_BY(mutex_) = 0;
  httplib::ThreadPool threads_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_HTTP_BOUNDED_TASK_QUEUE_H_
