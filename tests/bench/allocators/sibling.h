// Sibling: a thread that keeps a core of the process busy, so that a TLB flush
// must interrupt that core too. Without one a flush is local and all but free.
#ifndef WARMPOOL_TESTS_BENCH_ALLOCATORS_SIBLING_H_
#define WARMPOOL_TESTS_BENCH_ALLOCATORS_SIBLING_H_

#include <atomic>
#include <thread>

#include "tests/bench/allocators/counters.h"

namespace warmpool::bench {

class Sibling {
 public:
  // Does nothing unless it `runs`.
  explicit Sibling(bool runs) {
    if (!runs) return;
    thread_ = std::thread([this] {
      while (!stop_.load(std::memory_order_relaxed)) {
      }
    });
  }
  ~Sibling() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

  double cpu_nanoseconds() {
    return thread_.joinable() ? ThreadCpuNanoseconds(thread_.native_handle())
                              : 0;
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace warmpool::bench

#endif  // WARMPOOL_TESTS_BENCH_ALLOCATORS_SIBLING_H_
