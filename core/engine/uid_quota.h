// UidQuota: how many leases, and how many bytes of segments, each uid has,
// however many processes it has them in; and the limits on both. One uid can't
// use up what all share.
//
// A segment whose lease has ended still counts until the proof shows that no
// process has it: its bytes as before, and itself like a lease. Otherwise a
// client could release what it has mapped, and lease again, without end.
//
// Thread-safe; its lock may be taken under any other, and makes no system call.
// Invariant: a uid that has nothing takes up no memory.
#ifndef WARMPOOL_CORE_ENGINE_UID_QUOTA_H_
#define WARMPOOL_CORE_ENGINE_UID_QUOTA_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "core/base/mutex.h"

namespace warmpool {

class UidQuota {
 public:
  struct Options {
    size_t max_leases = 100'000;
    // By default the pool's capacity is the only limit.
    uint64_t max_bytes = std::numeric_limits<uint64_t>::max();
  };
  struct Usage {
    size_t leases = 0;
    // Segments without a lease that some process may still have, and their
    // bytes.
    size_t unproven_segments = 0;
    uint64_t unproven_bytes = 0;
    // Of segments under a lease, and of those.
    uint64_t bytes = 0;
  };

  explicit UidQuota(const Options& options) : options_(options) {}

  // Counts one lease more and `bytes` more: those of its segment, or 0 for a
  // lease on a buffer whose bytes are counted already. RESOURCE_EXHAUSTED,
  // with nothing counted: the uid would have more than the limit; the message
  // names uid, use and limit.
  absl::Status Reserve(uid_t uid, uint64_t bytes);

  // Counts them whatever the limits: for a lease that was granted before, by a
  // daemon that may have had others.
  void Force(uid_t uid, uint64_t bytes);

  // Counts a segment's bytes without a lease of the uid's: others have those.
  void ForceBytes(uid_t uid, uint64_t bytes);

  // A lease that was counted has ended. REQUIRES: the uid has one.
  void ReleaseLease(uid_t uid);
  // So has the segment that these bytes are of, or it counts as unproven from
  // here on. REQUIRES: the uid has them.
  void ReleaseBytes(uid_t uid, uint64_t bytes);

  // Counts a segment without a lease, whatever the limits; and no more.
  // REQUIRES of the second: it was counted.
  void AddUnproven(uid_t uid, uint64_t bytes);
  void RemoveUnproven(uid_t uid, uint64_t bytes);

  Usage UsageOf(uid_t uid) const;
  const Options& options() const { return options_; }

  void CheckInvariants() const;

 private:
  void AddLocked(uid_t uid, const Usage& more)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Subtract(uid_t uid, const Usage& less);

  const Options options_;
  mutable Mutex mutex_;
  absl::flat_hash_map<uid_t, Usage> usage_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_UID_QUOTA_H_
