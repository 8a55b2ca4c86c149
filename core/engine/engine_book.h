// EngineBook: the engine's book-keeping. The ledger, the shelves that segments
// wait on, the lock over them, and the figures.
//
// Each member is guarded by `mutex`, which covers book-keeping only: whoever
// holds it makes no system call. Functions take a held lock unless they say
// otherwise.
// Invariants: those of each shelf; retained bytes are those of BigCache and
// Unproven, quarantined ones those of Quarantine, and stocked ones those of
// Stock, with what these have given out for a proof, a probe, or on order.
#ifndef WARMPOOL_CORE_ENGINE_ENGINE_BOOK_H_
#define WARMPOOL_CORE_ENGINE_ENGINE_BOOK_H_

#include <cstdint>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "core/base/mutex.h"
#include "core/engine/bigcache.h"
#include "core/engine/byte_ledger.h"
#include "core/engine/quarantine.h"
#include "core/engine/segment_pool_options.h"
#include "core/engine/segment_pool_stats.h"
#include "core/engine/stock.h"
#include "core/engine/unproven.h"
#include "core/memory/segment.h"
#include "core/memory/size_class.h"

namespace warmpool {

struct EngineBook {
  explicit EngineBook(const SegmentPoolOptions& options);

  // `segment`'s bytes go from one state to another.
  void Move(ByteState from, ByteState to, const Segment& segment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Accounts for what goes cold; evictions by their segments.
  std::vector<Segment> AccountEvicted(std::vector<Eviction> evicted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AccountCold(ByteState from, const std::vector<Segment>& cold)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Whether something would have to be evicted to retain this one.
  bool IsCrowded(const Segment& segment, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  AcquireCounts& CountsOf(SizeClass size_class)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  // Memory has become memory that a lease can get.
  void RecordReturn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

  // Takes the lock. Bytes that no lease needs: stock, retained and batched.
  uint64_t kept_bytes() const ABSL_LOCKS_EXCLUDED(mutex);
  // Takes the lock. Without what Batch and the histograms know.
  SegmentPoolStats stats() const ABSL_LOCKS_EXCLUDED(mutex);
  // Takes the lock. Aborts, saying what is wrong, unless the invariants hold.
  void CheckInvariants() const ABSL_LOCKS_EXCLUDED(mutex);

  const SizeClasses size_classes;
  const uint64_t max_retained_bytes;

  mutable Mutex mutex;
  ByteLedger ledger ABSL_GUARDED_BY(mutex);
  BigCache bigcache ABSL_GUARDED_BY(mutex);
  Unproven unproven ABSL_GUARDED_BY(mutex);
  Stock stock ABSL_GUARDED_BY(mutex);
  Quarantine quarantine ABSL_GUARDED_BY(mutex);
  // Returned segments are not retained.
  bool draining ABSL_GUARDED_BY(mutex) = false;
  // What the last Tick returned, or an earlier time noted since.
  absl::Time next_tick ABSL_GUARDED_BY(mutex) = absl::InfiniteFuture();
  uint64_t returns ABSL_GUARDED_BY(mutex) = 0;
  uint64_t failed_set_asides ABSL_GUARDED_BY(mutex) = 0;
  // By the classes' indices.
  std::vector<AcquireCounts> acquire_counts ABSL_GUARDED_BY(mutex);

  // Signalled when a probe or a proof that was put off has been made.
  CondVar probed_condition;
  // Signalled when `returns` grows.
  CondVar returned_condition;
  // Signalled when stock that was being made is on its shelf or in Batch.
  CondVar stock_finished_condition;

 private:
  std::vector<SegmentClassStats> ClassStats() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_ENGINE_BOOK_H_
