// MemoryWaits: requests for leases that wait until memory has come back. They
// take an entry in here, and one thread for all of them while there is any: it
// wakes them when memory that was leased, or in quarantine, has become memory
// that a lease can get.
//
// Thread-safe. All wait for the same time, so the first deadline is the first
// entry's.
#ifndef WARMPOOL_SERVER_RPC_MEMORY_WAITS_H_
#define WARMPOOL_SERVER_RPC_MEMORY_WAITS_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"
#include "core/pool/pool.h"

namespace warmpool {

class MemoryWaits {
 public:
  // Of one uid.
  static constexpr size_t kMaxPerUid = 64;

  // What is pointed to must outlive this.
  MemoryWaits(Pool* pool, const Clock* clock);
  // Stops.
  ~MemoryWaits();

  // Starts the thread. RESOURCE_EXHAUSTED, naming the limit: there is none.
  absl::Status Start();

  // REQUIRES: it was started. Has `wake` called once, on the thread of all
  // waits, which it must not hold up: when the pool's returns() are above
  // `seen`, and at `until` at the latest, a real clock's. False, and it is not
  // called: the uid has as many waits as it may, or this has stopped.
  bool Add(uid_t uid, uint64_t seen, absl::Time until,
           std::function<void()> wake);

  // Wakes all. Does nothing the second time.
  void Stop();

 private:
  struct Wait {
    uid_t uid;
    uint64_t seen;
    absl::Time until;
    std::function<void()> wake;
  };

  void Main();
  // Those that are to be woken.
  std::vector<std::function<void()>> Take(uint64_t returns);

  Pool& pool_;
  const Clock& clock_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Wait> waits_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uid_t, size_t> per_uid_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_RPC_MEMORY_WAITS_H_
