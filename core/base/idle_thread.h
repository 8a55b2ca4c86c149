// IdleThread: a thread that runs under SCHED_IDLE (sched(7)) only: it gets the
// processor time that no other thread wants, and a processor that runs it
// counts as idle for threads that wake.
//
// On a busy machine it may stop for as long as a second, wherever it is. So it
// may hold nothing that others wait for: no lock of this process, and none in
// the kernel that they share (the address space's, a directory's).
#ifndef WARMPOOL_CORE_BASE_IDLE_THREAD_H_
#define WARMPOOL_CORE_BASE_IDLE_THREAD_H_

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

class IdleThread {
 public:
  IdleThread();
  // Joins.
  ~IdleThread();

  // Runs `work` on the thread; returns when it is done. One caller at a time.
  // Where the system had no thread to give, the caller does the work.
  void Run(absl::FunctionRef<void()> work);

 private:
  void Main();

  // Between the caller and the thread alone.
  Mutex mutex_;
  CondVar changed_;
  // The caller's, who waits; null: none.
  const absl::FunctionRef<void()>* work_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_BASE_IDLE_THREAD_H_
