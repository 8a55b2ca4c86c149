// UidQuota: how many leases, and how many bytes of segments, each uid has,
// however many processes it has them in; and the limits on both. One uid can't
// use up what all share.
//
// Externally synchronised; makes no system call.
// Invariant: a uid that has nothing takes up no memory.
#ifndef WARMPOOL_CORE_POOL_UID_QUOTA_H_
#define WARMPOOL_CORE_POOL_UID_QUOTA_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <limits>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

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
  void ReleaseLease(uid_t uid) { Release(uid, 1, 0); }
  // So has the buffer that these bytes are of. REQUIRES: the uid has them.
  void ReleaseBytes(uid_t uid, uint64_t bytes) { Release(uid, 0, bytes); }

  Usage UsageOf(uid_t uid) const;
  const Options& options() const { return options_; }

  void CheckInvariants() const;

 private:
  void Release(uid_t uid, size_t leases, uint64_t bytes);

  const Options options_;
  absl::flat_hash_map<uid_t, Usage> usage_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_UID_QUOTA_H_
