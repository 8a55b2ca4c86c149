#include "core/base/idle_thread.h"

#include <sched.h>

namespace warmpool {

IdleThread::IdleThread() {
  thread_.Start("wp-idle", [this] { Main(); }).IgnoreError();
}

IdleThread::~IdleThread() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  thread_.Join();
}

void IdleThread::Run(absl::FunctionRef<void()> work) {
  if (!thread_.running()) return work();
  MutexLock lock(&mutex_);
  work_ = &work;
  changed_.NotifyAll();
  while (work_ != nullptr) changed_.Wait(&mutex_);
}

void IdleThread::Main() {
  // The kernel lets every thread do so; a sandbox may not (seccomp). Then it
  // goes on as any other, which costs time and nothing else.
  const sched_param no_priority{};
  (void)sched_setscheduler(/*pid=*/0, SCHED_IDLE, &no_priority);
  for (;;) {
    const absl::FunctionRef<void()>* work = nullptr;
    {
      MutexLock lock(&mutex_);
      while (work_ == nullptr && !stopping_) changed_.Wait(&mutex_);
      if (work_ == nullptr) return;
      work = work_;
    }
    (*work)();
    {
      MutexLock lock(&mutex_);
      work_ = nullptr;
    }
    changed_.NotifyAll();
  }
}

}  // namespace warmpool
