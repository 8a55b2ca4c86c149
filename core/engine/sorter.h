// Sorter: puts each segment where it belongs once its lease has ended. The
// proof decides: BigCache retains what no other process has, Quarantine keeps
// what one still has, and Batch gets what nobody may lease again.
//
// Thread-safe. It proves, renames and frees segments outside of the book's
// lock.
#ifndef WARMPOOL_CORE_ENGINE_SORTER_H_
#define WARMPOOL_CORE_ENGINE_SORTER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/time/time.h"
#include "core/base/clock.h"
#include "core/engine/byte_ledger.h"
#include "core/engine/engine_book.h"
#include "core/engine/segment_pool_options.h"
#include "core/engine/unmap_batch.h"
#include "core/memory/segment.h"
#include "core/memory/segment_source.h"

namespace warmpool {

class Sorter {
 public:
  // All must outlive this. `batch` may be constructed later.
  Sorter(EngineBook* book, SegmentSource* source, const Clock* clock,
         UnmapBatch* batch, const SegmentPoolOptions& options);

  // Proves a segment whose lease has ended; one that was sealed is not any more
  // unless it is in use.
  Verdict ProveReturned(Segment* segment);
  // Retains, quarantines or hands to Batch a segment whose bytes are in the
  // state `from`, and which the shelf of that state has given out.
  void Settle(Segment segment, ByteState from, Verdict verdict);
  // Proves those whose proof was put off until then; those that others prove
  // meanwhile may not be done when it returns.
  void ProveUnproven(absl::Time until);
  // Hands cold segments, whose bytes are accounted as batched, to Batch; one
  // that somebody has opened meanwhile goes to quarantine.
  void HandOff(std::vector<Segment> cold);
  // Adds a segment to Batch, and ticks when that is due.
  void AddToBatch(Segment segment, absl::Time now);

  // Whether the segment may serve its class: one that an earlier daemon left
  // may have any size.
  bool FitsItsClass(const Segment& segment) const;

  // Tells whoever calls SegmentPool::Tick to come by `due` at the latest.
  void ScheduleTick(absl::Time due);

  // For the quota.
  void CountUnproven(const Segment& segment);
  void ForgetUnproven(uid_t owner, uint64_t bytes);
  void ForgetLeased(uid_t owner, uint64_t bytes);

 private:
  bool QuarantineEvicted(Segment* segment);

  EngineBook& book_;
  SegmentSource& source_;
  const Clock& clock_;
  UnmapBatch& batch_;
  const absl::Duration batch_max_age_;
  UidQuota* const quota_;
  const std::function<void()> on_due_earlier_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_SORTER_H_
