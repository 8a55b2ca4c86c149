#include "server/clients/session_hub.h"

namespace warmpool {
namespace {

// Modulo 2^64, so that less is a sum too.
template <typename Key>
void AddBytes(absl::flat_hash_map<Key, uint64_t>& sums, Key key,
              uint64_t bytes) {
  uint64_t& sum = sums[key];
  sum += bytes;
  if (sum == 0) sums.erase(key);
}

}  // namespace

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
  std::vector<Session*> kept;
  {
    MutexLock lock(&mutex_);
    const auto it = sessions_.find(holder);
    if (it == sessions_.end()) return;
    kept.assign(it->second.begin(), it->second.end());
    for (Session* const session : kept) session->Keep();
  }
  Send(kept, notice);
}

void SessionHub::NotifyAll(const v1::SessionResponse& notice) {
  std::vector<Session*> kept;
  {
    MutexLock lock(&mutex_);
    for (const auto& [holder, sessions] : sessions_) {
      kept.insert(kept.end(), sessions.begin(), sessions.end());
    }
    for (Session* const session : kept) session->Keep();
  }
  Send(kept, notice);
}

void SessionHub::Send(const std::vector<Session*>& kept,
                      const v1::SessionResponse& notice) {
  for (Session* const session : kept) {
    session->SendNotice(notice);
    session->Detach();
  }
}

void SessionHub::ChangeIdle(HolderId holder, const v1::IdleReport& from,
                            const v1::IdleReport& to) {
  const uint64_t grown = to.idle_bytes() - from.idle_bytes();
  idle_bytes_ += grown;
  MutexLock lock(&mutex_);
  AddBytes(idle_by_holder_, holder, grown);
  for (const v1::IdleReport::SizeClass& idle : from.size_classes()) {
    AddBytes(idle_by_class_, idle.segment_bytes(),
             -idle.segment_bytes() * idle.idle_leases());
  }
  for (const v1::IdleReport::SizeClass& idle : to.size_classes()) {
    AddBytes(idle_by_class_, idle.segment_bytes(),
             idle.segment_bytes() * idle.idle_leases());
  }
}

SessionHub::IdleByHolder SessionHub::idle_by_holder() const {
  MutexLock lock(&mutex_);
  return idle_by_holder_;
}

SessionHub::IdleByClass SessionHub::idle_by_class() const {
  MutexLock lock(&mutex_);
  return idle_by_class_;
}

}  // namespace warmpool
