#include "server/maintenance.h"

#include <utility>

namespace warmpool {

absl::Status Maintenance::Start(std::function<absl::Time(const Turn&)> tick) {
  return thread_.Start("wpd-maintain",
                       [this, tick = std::move(tick)] { Main(tick); });
}

void Maintenance::Poke() {
  {
    MutexLock lock(&mutex_);
    poked_ = true;
  }
  condition_.NotifyOne();
}

void Maintenance::CallSoon(std::function<void()> call) {
  {
    MutexLock lock(&mutex_);
    calls_.push_back(std::move(call));
  }
  Poke();
}

std::vector<std::function<void()>> Maintenance::TakeCalls() {
  MutexLock lock(&mutex_);
  return std::exchange(calls_, {});
}

void Maintenance::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  condition_.NotifyOne();
  thread_.Join();
}

void Maintenance::Main(const std::function<absl::Time(const Turn&)>& tick) {
  absl::Time due = clock_.Now();
  PauseDetector pauses(due);
  while (AwaitTurn(due, &pauses)) {
    const absl::Time now = clock_.Now();
    const absl::Time grace_end = pauses.Poll(now);
    // The next look comes when the tick is done.
    pauses.NextLook(now, now);
    const std::vector<std::function<void()>> calls = TakeCalls();
    due = tick({now, grace_end});
    for (const std::function<void()>& call : calls) call();
  }
}

bool Maintenance::AwaitTurn(absl::Time due, PauseDetector* pauses) {
  MutexLock lock(&mutex_);
  while (!poked_ && !stopping_) {
    const absl::Time now = clock_.Now();
    pauses->Poll(now);
    const absl::Time next_look = pauses->NextLook(now, due);
    if (due <= now) break;
    condition_.WaitFor(&mutex_, next_look - now);
  }
  poked_ = false;
  return !stopping_;
}

}  // namespace warmpool
