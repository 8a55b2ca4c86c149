// HolderEnder: ends what holders have left that are gone or have forgotten it,
// on a thread of its own.
//
// Of two processes that die at once one may have a hundred thousand leases, the
// other one. So leases end a slice at a time: uids take turns, and so do the
// holders of a uid. Whoever had little waits for a slice of each uid, and of
// each holder of its own, whatever those have.
#ifndef WARMPOOL_SERVER_CLIENTS_HOLDER_ENDER_H_
#define WARMPOOL_SERVER_CLIENTS_HOLDER_ENDER_H_

#include <sys/types.h>

#include <deque>
#include <functional>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"
#include "core/base/thread.h"

namespace warmpool {

// Thread-safe.
class HolderEnder {
 public:
  // Does a few milliseconds' worth of what there is to do for a holder. False:
  // that was the last of it.
  using Slice = std::function<bool()>;

  ~HolderEnder() { Stop(); }

  // Starts the thread. RESOURCE_EXHAUSTED, naming the limit: there is none.
  absl::Status Start();

  // REQUIRES: it was started. Calls it, on the other thread and under no lock,
  // until it returns false.
  void Add(uid_t uid, Slice slice);

  // Returns once all is done that was added; later it is done by whoever adds
  // it. Does nothing the second time.
  void Stop();

 private:
  void AddLocked(uid_t uid, Slice slice) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Waits for one whose turn it is. nullopt: there is none left, and it stops.
  std::optional<std::pair<uid_t, Slice>> Next();
  void Main();

  Mutex mutex_;
  CondVar changed_;
  // Of each uid, its holders in the order of their turns; none is empty.
  absl::flat_hash_map<uid_t, std::deque<Slice>> waiting_
      ABSL_GUARDED_BY(mutex_);
  // Those uids in the order of theirs.
  std::deque<uid_t> turns_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Thread thread_;
};

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_CLIENTS_HOLDER_ENDER_H_
