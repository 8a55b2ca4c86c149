#include "core/book/wait_waker.h"

#include "core/base/mutex.h"

namespace warmpool {

void WaitWaker::Wake(const AttachWaits::Wakes& wakes) {
  for (const std::function<void()>& wake : wakes) wake();
}

void WaitWaker::Wake(AttachWaits::First first) {
  Wake(first.wakes);
  if (first.rest.has_value()) WakeLater(*std::move(first.rest));
}

void WaitWaker::WakeDue(absl::Time now) {
  AttachWaits::Wakes late;
  {
    MutexLock lock(&book_.mutex);
    late = book_.waits.TakeDue(now, kWaitsAtOnce);
  }
  Wake(late);
}

void WaitWaker::WakeAll() {
  for (bool more = true; more;) {
    AttachWaits::Wakes wakes;
    {
      MutexLock lock(&book_.mutex);
      wakes = book_.waits.Take(kWaitsAtOnce);
    }
    Wake(wakes);
    more = wakes.size() == kWaitsAtOnce;
    if (more) Yield();
  }
}

void WaitWaker::WakeLater(AttachWaits::Crowd crowd) {
  if (run_later_) {
    const uid_t uid = crowd.target.uid;
    run_later_(uid, [this, crowd = std::move(crowd)] {
      if (WakeSome(crowd)) WakeLater(crowd);
    });
    return;
  }
  while (WakeSome(crowd)) Yield();
}

bool WaitWaker::WakeSome(const AttachWaits::Crowd& crowd) {
  AttachWaits::Wakes wakes;
  {
    MutexLock lock(&book_.mutex);
    wakes = book_.waits.TakeFrom(crowd, kWaitsAtOnce);
  }
  Wake(wakes);
  return wakes.size() == kWaitsAtOnce;
}

}  // namespace warmpool
