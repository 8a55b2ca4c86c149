#include "server/serving_share.h"

#include <algorithm>
#include <utility>

namespace warmpool {
namespace {

// What it takes to unpack a message, to look at it and to free it, for each byte
// that it has in memory.
constexpr absl::Duration kPerByte = absl::Nanoseconds(2);
// Of those that wait, as many go on one after the other when one is charged: others
// than their uid are waiting to be served, too.
constexpr int kMostInCharge = 16;

}  // namespace

ServingShare::~ServingShare() { Stop(); }

absl::Status ServingShare::Start() {
  return thread_.Start("wpd-share", [this] { Main(); });
}

void ServingShare::TurnLocked(absl::Time now) {
  if (now < window_end_) return;
  // An idle one begins with the first request after it.
  const absl::Time before = now - kWindow;
  absl::erase_if(uses_, [&](const auto& use)
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
                              return use.second.at < before &&
                                     !waiting_.contains(use.first);
                            });
  for (auto& [uid, use] : uses_) use.time = absl::ZeroDuration();
  window_end_ = now + kWindow;
  ++window_;
}

bool ServingShare::IsUsedUpLocked(uid_t uid, absl::Time now) {
  TurnLocked(now);
  const auto use = uses_.find(uid);
  if (use == uses_.end() || uses_.size() == 1) return false;
  if (use->second.time <= ShareLocked()) return false;
  absl::Duration others = -use->second.time;
  for (const auto& [other, its] : uses_) others += its.time;
  return use->second.time > others / static_cast<int64_t>(uses_.size() - 1);
}

absl::Duration ServingShare::ShareLocked() const {
  return kWindow / (2 * static_cast<int64_t>(uses_.size()));
}

bool ServingShare::IsUsedUp(uid_t uid, absl::Time now) {
  MutexLock lock(&mutex_);
  return IsUsedUpLocked(uid, now);
}

void ServingShare::WhenThereIsTime(uid_t uid, std::function<void()> go_on) {
  {
    MutexLock lock(&mutex_);
    // Nobody overtakes those that wait.
    if (!stopping_ &&
        (waiting_.contains(uid) || IsUsedUpLocked(uid, clock_.Now()))) {
      waiting_[uid].push_back(std::move(go_on));
      go_on = nullptr;
    }
  }
  if (go_on != nullptr) {
    go_on();
  } else {
    changed_.NotifyOne();
  }
}

void ServingShare::TakeLocked(uid_t uid, size_t most, Waiting* taken) {
  const auto waiting = waiting_.find(uid);
  if (waiting == waiting_.end()) return;
  for (; most > 0 && !waiting->second.empty(); --most) {
    taken->push_back(std::move(waiting->second.front()));
    waiting->second.pop_front();
  }
  if (waiting->second.empty()) waiting_.erase(waiting);
}

void ServingShare::Charge(uid_t uid, absl::Time begun, size_t request_bytes) {
  bool others_wait = false;
  {
    MutexLock lock(&mutex_);
    const absl::Time now = clock_.Now();
    TurnLocked(now);
    Use& use = uses_[uid];
    const absl::Duration taken =
        now - begun + static_cast<int64_t>(request_bytes) * kPerByte;
    use.time += taken;
    use.each += (taken - use.each) / 4;
    use.at = now;
    others_wait = waiting_.contains(uid);
  }
  if (others_wait) LetSomeGoOn(uid);
}

void ServingShare::LetSomeGoOn(uid_t uid) {
  // Whoever goes on is charged too, and comes here again: the first call sees to
  // all, or calls would nest as deep as there are that wait.
  static thread_local bool is_nested = false;
  if (std::exchange(is_nested, true)) return;
  for (int i = 0; i < kMostInCharge; ++i) {
    Waiting next;
    {
      MutexLock lock(&mutex_);
      if (!IsUsedUpLocked(uid, clock_.Now())) TakeLocked(uid, 1, &next);
    }
    if (next.empty()) break;
    next.front()();
  }
  is_nested = false;
}

void ServingShare::Stop() {
  {
    MutexLock lock(&mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  changed_.NotifyOne();
  thread_.Join();
}

bool ServingShare::AwaitWindow(Waiting* taken) {
  MutexLock lock(&mutex_);
  while (waiting_.empty() && !stopping_) changed_.Wait(&mutex_);
  TurnLocked(clock_.Now());
  // Whoever is served may begin the window, too.
  while (window_ == resumed_in_ && !stopping_) {
    changed_.WaitFor(&mutex_, window_end_ - clock_.Now());
    TurnLocked(clock_.Now());
  }
  resumed_in_ = window_;
  std::vector<uid_t> uids;
  for (const auto& [uid, waiting] : waiting_) uids.push_back(uid);
  const bool is_alone = uses_.size() <= 1;
  for (const uid_t uid : uids) {
    const absl::Duration each =
        std::max(uses_[uid].each, absl::Microseconds(1));
    const int64_t most =
        std::clamp<int64_t>(ShareLocked() / each, 1, kMostResumed);
    TakeLocked(uid, stopping_ || is_alone ? SIZE_MAX : most, taken);
  }
  // Once that is so nobody comes to wait.
  return !stopping_;
}

void ServingShare::Main() {
  for (bool more = true; more;) {
    Waiting taken;
    more = AwaitWindow(&taken);
    for (const std::function<void()>& go_on : taken) go_on();
  }
}

}  // namespace warmpool
