// PoolLog: the log lines about the pool and its directory. Clients can cause
// most of them at will, so those are rate-limited.
//
// Thread-safe.
#ifndef WARMPOOL_SERVER_POOL_LOG_H_
#define WARMPOOL_SERVER_POOL_LOG_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "core/base/clock.h"
#include "core/lease/lease.h"
#include "core/memory/directory/segment_directory.h"
#include "core/pool/pool.h"
#include "server/log/log_limit.h"
#include "server/sizing.h"

namespace warmpool {

class PoolLog {
 public:
  // `clock` must outlive this.
  explicit PoolLog(const Clock* clock) : limit_(clock) {}

  void OnRevoked(const RevokedLease& revoked);
  void OnRefused(const Refusal& refusal);
  // The holder, without a connection, had forgotten so many leases.
  void OnForgotten(HolderId holder, size_t leases);
  // A segment has no huge pages, and why.
  void OnSmallPages(uint64_t bytes, const absl::Status& why);

 private:
  LogLimit limit_;
};

// Once at the start: how large the pool is.
void LogSizes(const WantedSizes& wanted, const PoolSizes& sizes,
              uint64_t max_segment_bytes, SegmentDirectory* directory);
// Once at the end: the leases that the next daemon takes up.
void LogLeasesLeft(const Pool& pool);

}  // namespace warmpool

#endif  // WARMPOOL_SERVER_POOL_LOG_H_
