#include "server/rpc/memory_waits.h"

#include <algorithm>
#include <utility>

namespace warmpool {

MemoryWaits::MemoryWaits(Pool* pool, const Clock* clock)
    : pool_(*pool), clock_(*clock) {}

MemoryWaits::~MemoryWaits() { Stop(); }

absl::Status MemoryWaits::Start() {
  return thread_.Start("wpd-waits", [this] { Main(); });
}

bool MemoryWaits::Add(uid_t uid, uint64_t seen, absl::Time until,
                      std::function<void()> wake) {
  {
    MutexLock lock(&mutex_);
    if (stopping_) return false;
    size_t& count = per_uid_[uid];
    if (count >= kMaxPerUid) return false;
    ++count;
    waits_.push_back({uid, seen, until, std::move(wake)});
  }
  changed_.NotifyOne();
  // What came back before it was added.
  if (pool_.returns() > seen) pool_.WakeAwaitReturn();
  return true;
}

void MemoryWaits::Stop() {
  {
    MutexLock lock(&mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  changed_.NotifyOne();
  pool_.WakeAwaitReturn();
  thread_.Join();
}

void MemoryWaits::Main() {
  for (;;) {
    uint64_t seen = UINT64_MAX;
    absl::Time until;
    {
      MutexLock lock(&mutex_);
      while (waits_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (waits_.empty()) return;
      until = stopping_ ? absl::InfinitePast() : waits_.front().until;
      for (const Wait& wait : waits_) seen = std::min(seen, wait.seen);
    }
    const uint64_t returns = pool_.AwaitReturn(seen, until);
    for (const std::function<void()>& wake : Take(returns)) wake();
  }
}

std::vector<std::function<void()>> MemoryWaits::Take(uint64_t returns) {
  std::vector<std::function<void()>> wakes;
  MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  std::deque<Wait> left;
  for (Wait& wait : waits_) {
    if (wait.seen >= returns && wait.until > now && !stopping_) {
      left.push_back(std::move(wait));
      continue;
    }
    const auto counted = per_uid_.find(wait.uid);
    if (--counted->second == 0) per_uid_.erase(counted);
    wakes.push_back(std::move(wait.wake));
  }
  waits_ = std::move(left);
  return wakes;
}

}  // namespace warmpool
