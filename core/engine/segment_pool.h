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
// Invariants: those of ByteLedger, BigCache, Stock and UnmapBatch; retained
// bytes are those of BigCache and Unproven, quarantined ones those of
// Quarantine, and stocked ones those of Stock: with what these have checked out
// for a proof, for a probe, or on order.
#ifndef WARMPOOL_CORE_ENGINE_SEGMENT_POOL_H_
#define WARMPOOL_CORE_ENGINE_SEGMENT_POOL_H_

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/base/byte_size.h"
#include "core/base/clock.h"
#include "core/base/latency_histogram.h"
#include "core/base/mutex.h"
#include "core/engine/bigcache.h"
#include "core/engine/byte_ledger.h"
#include "core/engine/quarantine.h"
#include "core/engine/stock.h"
#include "core/engine/uid_quota.h"
#include "core/engine/unmap_batch.h"
#include "core/engine/unproven.h"
#include "core/engine/warmth.h"
#include "core/memory/segment_source.h"
#include "core/memory/size_class.h"

namespace warmpool {

// Whether a RESOURCE_EXHAUSTED is for want of memory that others may give back,
// so that it may help to wait. It does not against a limit of the caller's own,
// or where the whole capacity would not do.
bool LacksRoom(const absl::Status& status);

class SegmentPool {
 public:
  // What one step of MakeStock clears: a quarter of a millisecond.
  static constexpr uint64_t kStockStepBytes = kMiB;
  // For how long no stock is made after a lease lacked room.
  static constexpr absl::Duration kStockPause = absl::Seconds(1);

  struct Options {
    // Bytes of all segments together, in whatever state.
    uint64_t capacity_bytes = UINT64_MAX;
    // The largest request allowed.
    size_t max_segment_bytes = SizeClasses::kDefaultMaxBytes;
    // Bytes that the source's own files take.
    uint64_t overhead_bytes = 0;
    // For how long a client may take a leftover out of quarantine.
    absl::Duration leftover_grace = absl::Seconds(60);
    // For how long the proof of a released segment may be put off, unless it is
    // leased again. Zero: it is proven as it comes back. Until then one that
    // somebody still has counts as retained, though nobody gets it.
    absl::Duration prove_within = absl::ZeroDuration();
    BigCache::Options bigcache;
    UnmapBatch::Options batch;
    // None by default: somebody has to call MakeStock.
    Stock::Options stock;
    // Where segments count that processes may have though they are no lease's;
    // whoever leases has their bytes counted before, and no more once they are
    // returned or ended. Must outlive the pool. Null: nothing is counted.
    UidQuota* quota = nullptr;
    // Called, under no lock, when MakeStock may find something to make.
    std::function<void()> on_stock_wanted;
    // Called, under no lock, when Tick has something to do earlier than the
    // last Tick said.
    std::function<void()> on_due_earlier;
  };

  struct AcquireRequest {
    uid_t owner = 0;
    uint64_t bytes = 0;
    // Old bytes are not acceptable.
    bool require_zeroed = false;
    // No memory is to be made, and no room. NOT_FOUND otherwise; such a miss is
    // not counted, as the same request is expected again without this.
    bool if_ready = false;
  };

  struct Acquired {
    Segment segment;
    Warmth warmth = Warmth::kFresh;
  };

  // Of the requests for one size class.
  struct AcquireCounts {
    uint64_t warm = 0;
    uint64_t stock = 0;
    uint64_t fresh = 0;
    // Those that BigCache was not asked for.
    uint64_t misses_zeroed = 0;
    // Retained or stocked segments that failed the proof at their lease or
    // their end.
    uint64_t failed_proofs = 0;

    AcquireCounts& operator+=(const AcquireCounts& other);
  };

  struct ClassStats {
    size_t segment_bytes = 0;
    std::array<uint64_t, kByteStateCount> bytes{};
    AcquireCounts acquired;
    BigCache::Counts bigcache;
    BigCache::Occupancy rings;
  };

  struct Stats {
    ByteLedger ledger{0};
    BigCache::Counts bigcache;
    size_t retained_segments = 0;
    UnmapBatch::Counts batch;
    AcquireCounts acquired;
    size_t stock_segments = 0;
    // Those size classes that there was anything of, the smallest first.
    std::vector<ClassStats> classes;
    // How long it took to make a segment for a lease, with its pages; to end
    // what had to make room for one; and to end a batch.
    LatencyHistogram::Snapshot make_latency;
    LatencyHistogram::Snapshot make_room_latency;
    LatencyHistogram::Snapshot flush_latency;
    size_t quarantined_segments = 0;
    // Attempts to set a quarantined segment aside that failed: it stays
    // quarantined where it is.
    uint64_t failed_set_asides = 0;
  };

  // `source`, `calls` and `clock` must outlive this.
  SegmentPool(SegmentSource* source, SystemCalls* calls, const Clock* clock,
              const Options& options);
  // Ends what is retained and batched, lets quarantined segments go.
  // REQUIRES: every acquired segment was returned, ended or let go.
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
  uint64_t returns() const;
  // Waits until returns() is above `seen`, or until `until` (a real clock's);
  // gives returns().
  uint64_t AwaitReturn(uint64_t seen, absl::Time until);
  // Makes it return, as if memory had come back.
  void WakeAwaitReturn();

  // Takes over a segment that an earlier daemon left: quarantined, so ended
  // once nobody has it.
  void Adopt(Segment segment);

  // Accounts for a segment that an earlier daemon left under a lease which
  // lives on, as if it had been acquired here.
  void AdoptLeased(const Segment& segment);

  // Takes a leftover out of quarantine again, acquired, for a client that says
  // it has a lease on it; nullopt if none of `owner`'s has that file, or if it
  // was set aside. May wait for a probe of it.
  std::optional<Segment> TakeQuarantined(const std::string& file_name,
                                         uid_t owner);

  // Puts back what TakeQuarantined gave: the claim to it was not good.
  void PutBackLeftover(Segment segment);

  // Accounts for more bytes that files of the daemon's own take.
  void AddOverhead(uint64_t bytes);

  // Ends a segment though somebody may have it mapped. Its file is gone; its
  // pages go when the last mapping does.
  void End(Segment segment);

  // Lets go of a segment without ending it: its file stays for the next
  // daemon. Its bytes stay leased.
  void Detach(Segment segment);

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
  using StepRunner = absl::FunctionRef<bool(absl::FunctionRef<void()> step)>;
  bool MakeStock(StepRunner run_step);

  // Ends all stock, all that is retained and all that is batched before it
  // returns, and for `stock_pause` makes no stock. Returns the bytes that were
  // stock or retained.
  uint64_t ReleaseUnused(EvictionReason reason, absl::Duration stock_pause);

  // Bytes that ReleaseUnused would end: stock, retained and batched ones.
  uint64_t kept_bytes() const;

  // Tells whoever calls Tick to come by `due` at the latest.
  void ScheduleTick(absl::Time due);

  // From here on returned segments are not retained; what is retained and
  // batched is ended before this returns.
  void Drain();

  // Ends what waits in Batch; returns when it has ended.
  void FlushBatch() { batch_.Flush(); }

  // Ends everything in quarantine though somebody may have it, and from here on
  // whatever would go there.
  void EndQuarantined();

  const SizeClasses& size_classes() const { return size_classes_; }
  Stats stats() const;
  void CheckInvariants() const;

 private:
  // A warm segment that passed the proof, or nullopt.
  std::optional<Segment> TakeWarm(const AcquireRequest& request,
                                  SizeClass size_class);
  // The same of what is in stock. Counts the demand for it.
  std::optional<Segment> TakeStock(const AcquireRequest& request,
                                   SizeClass size_class);
  // Moves a segment's bytes from free to leased, ending stock and what is
  // retained if need be.
  absl::Status Reserve(SizeClass size_class);
  absl::StatusOr<Segment> MakeFresh(const AcquireRequest& request,
                                    SizeClass size_class);
  // Makes `bytes` bytes of stock and of retained segments cold, and ends
  // whatever is batched.
  void MakeRoom(uint64_t bytes);
  // Hands stock over to Batch until that has `bytes` bytes of it, and keeps any
  // from being made for `pause`. What is being made gives way. Returns how many
  // bytes it had.
  uint64_t GiveUpStock(uint64_t bytes, absl::Duration pause);
  std::optional<Stock::Order> BeginStock();
  // Says how the making of `segment` went.
  void FinishStock(const Stock::Order& order, Segment segment, bool made);
  bool StockGivenUp() const;
  void RecordStockWanted();
  // Hands cold segments, whose bytes are accounted as batched, to Batch; one
  // that somebody has opened meanwhile goes to quarantine.
  void HandOff(std::vector<Segment> cold);
  bool QuarantineEvicted(Segment* segment);
  // Proves a segment whose lease has ended; one that was sealed is not any more
  // unless it is in use.
  Verdict ProveReturned(Segment* segment);
  // Retains or sets aside a segment whose bytes are in the state `from`.
  void Settle(Segment segment, ByteState from, Verdict verdict);
  // Whether something would have to be evicted for this one.
  bool IsCrowdedLocked(const Segment& segment, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Proves those whose proof was put off until then; those that others prove
  // meanwhile may not be done when it returns.
  void ProveUnproven(absl::Time until);
  // For the quota.
  void CountUnproven(const Segment& segment);
  void ForgetUnproven(uid_t owner, uint64_t bytes);
  void ForgetLeased(uid_t owner, uint64_t bytes);
  // Asks again for quarantined segments that are due, some of each uid's; those
  // that are left are due still.
  void ProbeQuarantined(absl::Time now);
  // Asks for all of them.
  void ProbeAllQuarantined(absl::Time now);
  // Probes some of each uid's, if any are due. False: none.
  bool ProbeSome(absl::Time now);
  void ProbeEntry(Quarantine::Entry entry, absl::Time now);
  void SetAside(Quarantine::Entry* entry);
  // Whether the segment may serve its class: one that an earlier daemon left
  // may have any size.
  bool FitsItsClass(const Segment& segment) const;
  // Accounts for what goes cold; evictions by their segments.
  std::vector<Segment> AccountEvictedLocked(std::vector<Eviction> evicted)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AccountColdLocked(ByteState from, const std::vector<Segment>& cold)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `segment`'s bytes go from one state to another.
  void MoveLocked(ByteState from, ByteState to, const Segment& segment)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  AcquireCounts& AcquireCountsLocked(SizeClass size_class)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<ClassStats> ClassStatsLocked() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RecordReturnLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const SizeClasses size_classes_;
  SegmentSource& source_;
  const Clock& clock_;
  const std::function<void()> on_due_earlier_;
  const std::function<void()> on_stock_wanted_;
  const absl::Duration batch_max_age_;
  const absl::Duration leftover_grace_;
  const uint64_t max_retained_bytes_;
  UidQuota* const quota_;

  mutable Mutex mutex_;
  ByteLedger ledger_ ABSL_GUARDED_BY(mutex_);
  BigCache bigcache_ ABSL_GUARDED_BY(mutex_);
  Unproven unproven_ ABSL_GUARDED_BY(mutex_);
  Stock stock_ ABSL_GUARDED_BY(mutex_);
  // Signalled when MakeStock has finished.
  CondVar stock_finished_condition_;
  Quarantine quarantine_ ABSL_GUARDED_BY(mutex_);
  // Signalled when a probe or a proof that was put off has been made.
  CondVar probed_condition_;
  uint64_t returns_ ABSL_GUARDED_BY(mutex_) = 0;
  // Signalled when returns_ grows.
  CondVar returned_condition_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  // By the classes' indices.
  std::vector<AcquireCounts> acquire_counts_ ABSL_GUARDED_BY(mutex_);
  uint64_t failed_set_asides_ ABSL_GUARDED_BY(mutex_) = 0;
  // What the last Tick returned, or an earlier time noted since.
  absl::Time next_tick_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();

  LatencyHistogram make_latency_;
  LatencyHistogram make_room_latency_;

  // Last, so that it is destroyed first: its drainer reports to the ledger.
  UnmapBatch batch_;
};

}  // namespace warmpool

#endif  // WARMPOOL_CORE_ENGINE_SEGMENT_POOL_H_
