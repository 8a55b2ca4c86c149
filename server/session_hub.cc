#include "server/session_hub.h"

namespace warmpool {

void SessionHub::Add(HolderId holder, Session* session) {
  MutexLock lock(&mutex_);
  sessions_[holder].insert(session);
}

void SessionHub::Remove(HolderId holder, Session* session) {
  MutexLock lock(&mutex_);
  const auto it = sessions_.find(holder);
  if (it == sessions_.end()) return;
  it->second.erase(session);
  if (it->second.empty()) sessions_.erase(it);
}

void SessionHub::Notify(HolderId holder, const v1::SessionResponse& notice) {
  MutexLock lock(&mutex_);
  const auto it = sessions_.find(holder);
  if (it == sessions_.end()) return;
  for (Session* const session : it->second) session->SendNotice(notice);
}

void SessionHub::NotifyAll(const v1::SessionResponse& notice) {
  MutexLock lock(&mutex_);
  for (const auto& [holder, sessions] : sessions_) {
    for (Session* const session : sessions) session->SendNotice(notice);
  }
}

void SessionHub::ChangeIdle(uint64_t from, uint64_t to) {
  // Modulo 2^64, so that less is a sum too.
  idle_bytes_ += to - from;
}

}  // namespace warmpool
