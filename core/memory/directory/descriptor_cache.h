// DescriptorCache: descriptors of segments' files, those used last.
//
// An open descriptor saves a proof from opening the file by its name, and no
// more. Descriptors are bounded (RLIMIT_NOFILE) and every client's connection
// needs one, so pooled memory must not take them all: beyond a maximum, what
// nobody has used for longest is closed, which is that of a lease that lives
// long rather than that of a segment in use again and again.
//
// Thread-safe. Its lock is held over no system call.
// Invariant: size() <= max.
#ifndef WARMPOOL_CORE_MEMORY_DIRECTORY_DESCRIPTOR_CACHE_H_
#define WARMPOOL_CORE_MEMORY_DIRECTORY_DESCRIPTOR_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "core/base/mutex.h"
#include "core/memory/kernel/system_calls.h"

namespace warmpool {

class DescriptorCache {
 public:
  // Whose descriptor it is. Never given out twice, as inode numbers may be.
  using Key = uint64_t;

  // `calls` must outlive this.
  DescriptorCache(size_t max, SystemCalls* calls) : max_(max), calls_(*calls) {}
  // REQUIRES: empty.
  ~DescriptorCache();
  DescriptorCache(const DescriptorCache&) = delete;
  DescriptorCache& operator=(const DescriptorCache&) = delete;

  // Takes over a descriptor, and closes the one put in longest ago if there are
  // too many; of none allowed, this one.
  Key Add(int fd);
  // As Add, of one that was taken out, or was closed here and is open again.
  void Put(Key key, int fd);
  // The descriptor, the caller's from here on; -1: it was closed here.
  int Take(Key key);
  // Closes the one put in longest ago. False: there is none.
  bool CloseOldest();

  size_t size() const;

 private:
  struct Entry {
    Key key;
    int fd;
  };

  int RemoveOldestLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_;
  SystemCalls& calls_;

  mutable Mutex mutex_;
  Key last_key_ ABSL_GUARDED_BY(mutex_) = 0;
  // In the order in which they were put in.
  std::list<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Key, std::list<Entry>::iterator> by_key_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_MEMORY_DIRECTORY_DESCRIPTOR_CACHE_H_
