// SegmentPool: the engine. Segments are acquired and returned; between the two
// BigCache retains for warm reuse; on cold eviction, hand off to Batch; only
// Batch may munmap.
//
// It serves the daemon (a SegmentDirectory as source, leases in front) and,
// with an AnonymousSource, an allocator within one process.
//
// Thread-safe. Its lock covers book-keeping only: segments are made, proven and
// ended outside of it (plan under the lock, act outside, commit under the
// lock).
//
// EngineBook has the lock and the shelves; Sorter, Prober and StockKeeper move
// segments between them. This class acquires, takes back and ticks.
// Invariants: those of EngineBook and UnmapBatch.
#ifndef WARMPOOL_CORE_ENGINE_SEGMENT_POOL_H_
#define WARMPOOL_CORE_ENGINE_SEGMENT_POOL_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "core/base/clock.h"
#include "core/base/latency_histogram.h"
#include "core/base/mutex.h"
#include "core/engine/engine_book.h"
#include "core/engine/lacks_room.h"
#include "core/engine/prober.h"
#include "core/engine/segment_pool_options.h"
#include "core/engine/segment_pool_stats.h"
#include "core/engine/sorter.h"
#include "core/engine/stock_keeper.h"
#include "core/engine/unmap_batch.h"
#include "core/engine/warmth.h"
#include "core/memory/segment_source.h"
#include "core/memory/size_class.h"

namespace warmpool {

class SegmentPool {
 public:
  using Options = SegmentPoolOptions;
  using AcquireCounts = warmpool::AcquireCounts;
  using ClassStats = SegmentClassStats;
  using Stats = SegmentPoolStats;
  using StepRunner = StockKeeper::StepRunner;

  struct Acquired {
    Segment segment;
    Warmth warmth = Warmth::kFresh;
  };

  // `source`, `calls` and `clock` must outlive this.
  SegmentPool(SegmentSource* source, SystemCalls* calls, const Clock* clock,
              const Options& options);
  // Frees what is retained and batched, leaves quarantined segments to the next
  // daemon.
  // REQUIRES: every acquired segment was returned, freed or detached.
  ~SegmentPool();

  // A segment of the request's size class. INVALID_ARGUMENT: the size.
  // NOT_FOUND: none is ready, and only such was asked for.
  // RESOURCE_EXHAUSTED, telling the bytes free: beyond the capacity or what
  // the machine has, even after all stock and everything retained was ended.
  absl::StatusOr<Acquired> Acquire(const AcquireRequest& request);

  // Takes back a segment that its holder should no longer have open or mapped.
  // It is retained if the proof holds, quarantined if not.
  void Return(Segment segment);
  // The same where its holder says so: then the proof may be put off.
  void ReturnReleased(Segment segment);

  // Proves those whose proof was put off, so that they count no longer for
  // their uids' quotas unless somebody has them. False: there was none.
  bool ProvePutOff();

  // How often memory under a lease or in quarantine has become memory that a
  // lease can get.
  uint64_t returns() const {
    MutexLock lock(&book_.mutex);
    return book_.returns;
  }
  // Waits until returns() is above `seen`, or until `until` (a real clock's);
  // gives returns().
  uint64_t AwaitReturn(uint64_t seen, absl::Time until);
  // Makes it return, as if memory had come back.
  void WakeAwaitReturn();

  // Takes over a segment that an earlier daemon left: quarantined, so ended
  // once nobody has it.
  void Adopt(Segment segment) { prober_.Adopt(std::move(segment)); }

  // Accounts for a segment that an earlier daemon left under a lease which
  // lives on, as if it had been acquired here.
  void AdoptLeased(const Segment& segment);

  // Takes a leftover out of quarantine again, acquired, for a client that says
  // it has a lease on it; nullopt if none of `owner`'s has that file, or if it
  // was set aside. May wait for a probe of it.
  std::optional<Segment> TakeQuarantined(const std::string& file_name,
                                         uid_t owner) {
    return prober_.TakeLeftover(file_name, owner);
  }

  // Puts back what TakeQuarantined gave: the claim to it was not good.
  void PutBackLeftover(Segment segment);

  // Accounts for more bytes that files of the daemon's own take.
  void AddOverhead(uint64_t bytes);

  // Frees a segment though somebody may have it mapped. Its file is gone; its
  // pages go when the last mapping does.
  void Free(Segment segment);

  // Lets go of a segment without ending it: its file stays for the next
  // daemon. Its bytes stay leased.
  void Detach(Segment segment) { batch_.Detach(std::move(segment)); }

  // Does what time has made due: decay, aged batches, proofs that were put off,
  // probes of quarantined segments. Returns when to come back, InfiniteFuture
  // if nothing waits.
  absl::Time Tick();

  // Makes one segment for stock, if one is wanted and there is room to spare:
  // memory that no lease misses, so never what is retained, and not just after
  // a lease lacked room. False: there is nothing to make until
  // on_stock_wanted. One caller at a time; others are told false.
  //
  // Its pages are cleared in steps, each through `run_step`, which runs the
  // step it is given. Steps take no lock that other threads wait for, so that
  // they may run at whatever priority. Between two of them what is made is
  // given up if run_step says false, if a lease needs its room, or to drain.
  bool MakeStock(StepRunner run_step) {
    return stock_keeper_.MakeOne(run_step);
  }

  // Ends all stock, all that is retained and all that is batched before it
  // returns, and for `stock_pause` makes no stock. Returns the bytes that were
  // stock or retained.
  uint64_t ReleaseUnused(EvictionReason reason, absl::Duration stock_pause);

  // Bytes that ReleaseUnused would end: stock, retained and batched ones.
  uint64_t kept_bytes() const { return book_.kept_bytes(); }

  // Tells whoever calls Tick to come by `due` at the latest.
  void ScheduleTick(absl::Time due) { sorter_.ScheduleTick(due); }

  // Returned segments are not retained any more; what is retained and batched
  // is freed before this returns.
  void Drain();

  // Ends what waits in Batch; returns when it has ended.
  void FlushBatch() { batch_.Flush(); }

  // Frees all in quarantine though it may be in use, and whatever comes there.
  void FreeQuarantined() { prober_.FreeAll(); }

  const SizeClasses& size_classes() const { return book_.size_classes; }
  Stats stats() const;
  void CheckInvariants() const;

 private:
  // A warm segment that passed the proof, or nullopt.
  std::optional<Segment> TakeWarm(const AcquireRequest& request,
                                  SizeClass size_class);
  absl::StatusOr<Segment> MakeFresh(const AcquireRequest& request,
                                    SizeClass size_class);
  // Moves a segment's bytes from free to leased, freeing stock and what is
  // retained if need be.
  absl::Status Reserve(SizeClass size_class);
  // Makes `bytes` bytes of stock and of retained segments cold, and frees
  // whatever is batched.
  void MakeRoom(uint64_t bytes);
  // Batch has freed these.
  void OnFreed(absl::Span<const Segment> freed);

  SegmentSource& source_;
  const Clock& clock_;
  EngineBook book_;
  Sorter sorter_;
  Prober prober_;
  StockKeeper stock_keeper_;
  LatencyHistogram make_latency_;
  LatencyHistogram make_room_latency_;
  // Last, so that it is destroyed first: its drainer reports to the book.
  UnmapBatch batch_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_SEGMENT_POOL_H_
