#include "server/clients/holder_ender.h"

namespace warmpool {

absl::Status HolderEnder::Start() {
  return thread_.Start("wpd-ends", [this] { Main(); });
}

void HolderEnder::Add(uid_t uid, Slice slice) {
  {
    MutexLock lock(&mutex_);
    if (!stopping_) {
      AddLocked(uid, std::move(slice));
      slice = nullptr;
    }
  }
  changed_.NotifyOne();
  if (slice == nullptr) return;
  while (slice()) Yield();
}

void HolderEnder::AddLocked(uid_t uid, Slice slice) {
  std::deque<Slice>& holders = waiting_[uid];
  if (holders.empty()) turns_.push_back(uid);
  holders.push_back(std::move(slice));
}

void HolderEnder::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyOne();
  thread_.Join();
}

std::optional<std::pair<uid_t, HolderEnder::Slice>> HolderEnder::Next() {
  MutexLock lock(&mutex_);
  while (turns_.empty() && !stopping_) changed_.Wait(&mutex_);
  if (turns_.empty()) return std::nullopt;
  const uid_t uid = turns_.front();
  turns_.pop_front();
  const auto holders = waiting_.find(uid);
  Slice slice = std::move(holders->second.front());
  holders->second.pop_front();
  if (holders->second.empty()) {
    waiting_.erase(holders);
  } else {
    turns_.push_back(uid);
  }
  return std::make_pair(uid, std::move(slice));
}

void HolderEnder::Main() {
  while (std::optional<std::pair<uid_t, Slice>> next = Next()) {
    auto& [uid, slice] = *next;
    if (!slice()) continue;
    Yield();
    MutexLock lock(&mutex_);
    AddLocked(uid, std::move(slice));
  }
}

}  // namespace warmpool
