// PoolParts: what all operations of a pool share.
//
// Each part has its own locks. Only `book` has a lock that operations take;
// they call the other parts with no lock held.
#ifndef WARMPOOL_CORE_POOL_POOL_PARTS_H_
#define WARMPOOL_CORE_POOL_POOL_PARTS_H_

#include <algorithm>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/book/buffer_events.h"
#include "core/book/lease_book.h"
#include "core/book/wait_waker.h"
#include "core/engine/segment_pool.h"
#include "core/engine/uid_quota.h"
#include "core/lease/lease.h"
#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/system_calls.h"
#include "core/pool/lease_journal.h"
#include "core/pool/pool_types.h"

namespace warmpool {

class Journal;

struct PoolParts {
  // The arguments of Pool's constructor.
  PoolParts(SegmentDirectory* directory, SystemCalls* calls, const Clock* clock,
            RandomSource* random, const PoolOptions& options, Journal* journal);

  // The granted time to live: the default if none is requested, and never more
  // than the limit. INVALID_ARGUMENT: it is negative.
  absl::StatusOr<absl::Duration> GrantedTtl(RequestedTtl requested) const;

  // Counts a refused lease request, and remembers the reason.
  void RecordRefused(HolderId holder, uint64_t bytes,
                     const absl::Status& status);

  const PoolOptions options;
  SegmentDirectory& directory;
  SystemCalls& calls;
  const Clock& clock;
  RandomSource& random;
  // SegmentPool counts there, too.
  UidQuota quota;
  SegmentPool segments;
  LeaseJournal journal;
  BufferEvents events;
  LeaseBook book;
  WaitWaker waker;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_POOL_POOL_PARTS_H_
