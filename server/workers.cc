#include "server/workers.h"

#include <utility>

namespace warmpool {

Workers::Workers(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Main(); });
}

Workers::~Workers() { Stop(); }

void Workers::Run(std::function<void()> work) {
  bool stopping = false;
  {
    MutexLock lock(&mutex_);
    stopping = stopping_;
    if (!stopping) waiting_.push_back(std::move(work));
  }
  if (stopping) {
    work();
  } else {
    // Without the lock, for which the thread that wakes would have to wait.
    changed_.NotifyOne();
  }
}

void Workers::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Workers::Main() {
  for (;;) {
    std::function<void()> work;
    {
      MutexLock lock(&mutex_);
      while (waiting_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (waiting_.empty()) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace warmpool
