#include "client/leases/ticker.h"

#include <algorithm>
#include <utility>

#include "core/base/check.h"

namespace warmpool {

Ticker::Ticker(const Clock* clock, std::function<absl::Time()> tick)
    : clock_(*clock), tick_(std::move(tick)) {}

Ticker::~Ticker() { Stop(); }

absl::Status Ticker::Prepare() {
  {
    MutexLock lock(&mutex_);
    if (prepared_) return absl::OkStatus();
  }
  Thread thread;
  absl::Status prepared = thread.Prepare("wp-ticker");
  if (!prepared.ok()) return prepared;
  MutexLock lock(&mutex_);
  // Another call may have been first. Stop may have been called, too.
  if (!std::exchange(prepared_, true) && !stopping_) {
    thread_ = std::move(thread);
  }
  return prepared;
}

void Ticker::Start() {
  const absl::Status prepared = Prepare();
  MutexLock lock(&mutex_);
  if (started_ || stopping_) return;
  WARMPOOL_CHECK(prepared.ok(), "no thread was prepared");
  started_ = true;
  thread_.Run([this] { ThreadMain(); });
}

void Ticker::CallBy(absl::Time when) {
  MutexLock lock(&mutex_);
  if (when >= due_) return;
  due_ = when;
  changed_.NotifyOne();
}

void Ticker::Stop() {
  Thread thread;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.NotifyAll();
  thread.Join();
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
