// ForkGuard: tells a forked child from the process that it was forked from, at
// the cost of a load: getpid() is a system call.
//
// A number stands for the process, in a page that the kernel clears in forked
// children (MADV_WIPEONFORK, Linux 4.14). Where it refuses, pthread_atfork
// clears the number: then a child made by a bare clone(2) goes unnoticed.
//
// Thread-safe.
#ifndef WARMPOOL_CLIENT_RPC_FORK_GUARD_H_
#define WARMPOOL_CLIENT_RPC_FORK_GUARD_H_

#include <atomic>
#include <cstdint>

#include "core/memory/kernel/system_calls.h"

namespace warmpool {

// Remembers the process that got it from ForkGuard::Mark. Copied freely.
class ForkMark {
 public:
  // Whether this is another process, forked from that one.
  bool Forked() const {
    return word_->load(std::memory_order_relaxed) != number_;
  }

 private:
  friend class ForkGuard;
  ForkMark(const std::atomic<uint64_t>* word, uint64_t number)
      : word_(word), number_(number) {}

  const std::atomic<uint64_t>* word_;
  uint64_t number_;
};

class ForkGuard {
 public:
  // Of the whole process; never destroyed.
  static ForkGuard& Get();

  // The page is never given back, since marks may outlive this object.
  explicit ForkGuard(SystemCalls* calls);
  ForkGuard(const ForkGuard&) = delete;
  ForkGuard& operator=(const ForkGuard&) = delete;

  // Of the calling process. A forked child gets marks of its own.
  ForkMark Mark();

  // Whether the kernel clears the page.
  bool has_page() const;

 private:
  // The process's number; 0 in a child that has no mark yet.
  std::atomic<uint64_t>* word_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CLIENT_RPC_FORK_GUARD_H_
