#include "core/memory/directory/descriptor_cache.h"

#include "core/base/check.h"

namespace warmpool {

DescriptorCache::~DescriptorCache() {
  WARMPOOL_CHECK(size() == 0, "a segment outlived its directory");
}

DescriptorCache::Key DescriptorCache::Add(int fd) {
  Key key = 0;
  {
    MutexLock lock(&mutex_);
    key = ++last_key_;
  }
  Put(key, fd);
  return key;
}

void DescriptorCache::Put(Key key, int fd) {
  int closed = -1;
  {
    MutexLock lock(&mutex_);
    entries_.push_back({key, fd});
    const bool added = by_key_.emplace(key, --entries_.end()).second;
    WARMPOOL_CHECK(added, "two descriptors of one segment");
    if (entries_.size() > max_) closed = RemoveOldestLocked();
  }
  if (closed >= 0) calls_.Close(closed);
}

int DescriptorCache::Take(Key key) {
  MutexLock lock(&mutex_);
  const auto it = by_key_.find(key);
  if (it == by_key_.end()) return -1;
  const int fd = it->second->fd;
  entries_.erase(it->second);
  by_key_.erase(it);
  return fd;
}

bool DescriptorCache::CloseOldest() {
  int closed = -1;
  {
    MutexLock lock(&mutex_);
    if (entries_.empty()) return false;
    closed = RemoveOldestLocked();
  }
  calls_.Close(closed);
  return true;
}

int DescriptorCache::RemoveOldestLocked() {
  const Entry oldest = entries_.front();
  entries_.pop_front();
  by_key_.erase(oldest.key);
  return oldest.fd;
}

size_t DescriptorCache::size() const {
  MutexLock lock(&mutex_);
  return entries_.size();
}

}  // namespace warmpool
