#include "client/ticker.h"

#include <algorithm>
#include <utility>

namespace warmpool {

Ticker::Ticker(const Clock* clock, std::function<absl::Time()> tick)
    : clock_(*clock), tick_(std::move(tick)) {}

Ticker::~Ticker() { Stop(); }

void Ticker::Start() {
  MutexLock lock(&mutex_);
  if (thread_.joinable() || stopping_) return;
  thread_ = std::thread([this] { ThreadMain(); });
}

void Ticker::CallBy(absl::Time when) {
  MutexLock lock(&mutex_);
  if (when >= due_) return;
  due_ = when;
  changed_.NotifyOne();
}

void Ticker::Stop() {
  std::thread thread;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.NotifyAll();
  if (thread.joinable()) thread.join();
}

void Ticker::ThreadMain() {
  for (;;) {
    {
      MutexLock lock(&mutex_);
      for (;;) {
        if (stopping_) return;
        const absl::Time now = clock_.Now();
        if (now >= due_) break;
        changed_.WaitFor(&mutex_, due_ - now);
      }
      due_ = absl::InfiniteFuture();
    }
    const absl::Time next = tick_();
    MutexLock lock(&mutex_);
    // It may have been asked for earlier meanwhile.
    due_ = std::min(due_, next);
  }
}

}  // namespace warmpool
