#include "core/engine/segment_pool.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/mutex.h"
#include "core/base/status_macros.h"

namespace warmpool {

SegmentPool::SegmentPool(SegmentSource* source, SystemCalls* calls,
                         const Clock* clock, const Options& options)
    : source_(*source),
      clock_(*clock),
      book_(options),
      sorter_(&book_, source, clock, &batch_, options),
      prober_(&book_, source, clock, &batch_, &sorter_, options.leftover_grace),
      stock_keeper_(&book_, source, clock, &sorter_, options.on_stock_wanted),
      batch_(calls, options.batch,
             [this](absl::Span<const Segment> freed) { OnFreed(freed); }) {}

SegmentPool::~SegmentPool() {
  Drain();
  prober_.DetachAll();
}

void SegmentPool::OnFreed(absl::Span<const Segment> freed) {
  bool stock_lacked_room = false;
  {
    MutexLock lock(&book_.mutex);
    for (const Segment& segment : freed) {
      book_.ledger.Leave(ByteState::kBatched, segment.size_class(),
                         segment.bytes());
    }
    stock_lacked_room = book_.stock.work().TakeLacksRoom();
  }
  if (stock_lacked_room) stock_keeper_.NotifyWanted();
}

absl::StatusOr<SegmentPool::Acquired> SegmentPool::Acquire(
    const AcquireRequest& request) {
  ASSIGN_OR_RETURN(const SizeClass size_class,
                   book_.size_classes.For(request.bytes));
  if (!request.require_zeroed) {
    if (std::optional<Segment> warm = TakeWarm(request, size_class)) {
      return Acquired{*std::move(warm), Warmth::kWarm};
    }
  }
  if (std::optional<Segment> stocked =
          stock_keeper_.Take(request, size_class)) {
    return Acquired{*std::move(stocked), Warmth::kStock};
  }
  if (request.if_ready) return absl::NotFoundError("no such memory is ready");
  absl::StatusOr<Segment> fresh = MakeFresh(request, size_class);
  MutexLock lock(&book_.mutex);
  if (!fresh.ok()) {
    book_.bigcache.RecordDropped(request.owner, size_class, clock_.Now());
    return fresh.status();
  }
  ++book_.CountsOf(size_class).fresh;
  return Acquired{*std::move(fresh), Warmth::kFresh};
}

std::optional<Segment> SegmentPool::TakeWarm(const AcquireRequest& request,
                                             SizeClass size_class) {
  for (;;) {
    std::optional<Segment> segment;
    bool from_bigcache = false;
    {
      MutexLock lock(&book_.mutex);
      segment = book_.unproven.Take(request.owner, size_class);
      from_bigcache = !segment.has_value();
      if (from_bigcache) {
        if (request.if_ready &&
            !book_.bigcache.Holds(request.owner, size_class) &&
            !book_.stock.Holds(request.owner, size_class)) {
          return std::nullopt;
        }
        segment = book_.bigcache.Take(request.owner, size_class, clock_.Now());
        if (!segment.has_value()) return std::nullopt;
      }
      book_.Move(ByteState::kRetained, ByteState::kLeased, *segment);
    }
    // One whose proof was put off may have been sealed.
    const Verdict verdict = sorter_.ProveReturned(&*segment);
    {
      MutexLock lock(&book_.mutex);
      if (verdict == Verdict::kFree) {
        ++book_.CountsOf(size_class).warm;
        // It was not given up as yet, so demand is what it was.
        if (!from_bigcache) {
          book_.bigcache.RecordPassedOn(size_class);
          sorter_.ForgetUnproven(segment->owner(), segment->bytes());
        }
        return segment;
      }
      book_.CountsOf(size_class).failed_proofs += from_bigcache;
    }
    const uid_t owner = segment->owner();
    const uint64_t bytes = segment->bytes();
    sorter_.Settle(*std::move(segment), ByteState::kLeased, verdict);
    if (!from_bigcache) sorter_.ForgetUnproven(owner, bytes);
  }
}

absl::StatusOr<Segment> SegmentPool::MakeFresh(const AcquireRequest& request,
                                               SizeClass size_class) {
  const size_t bytes = book_.size_classes.Bytes(size_class);
  absl::Status status;
  // The filesystem may have less room than the capacity promises. What is
  // retained makes room: first as much as is needed, then all there is.
  for (const uint64_t room : {uint64_t{bytes}, UINT64_MAX, uint64_t{0}}) {
    RETURN_IF_ERROR(Reserve(size_class));
    Segment segment;
    const absl::Time begun = clock_.Now();
    status = source_.Make(size_class, bytes, request.owner, Purpose::kLease,
                          &segment);
    if (status.ok()) {
      make_latency_.Record(clock_.Now() - begun);
      return segment;
    }
    {
      MutexLock lock(&book_.mutex);
      if (segment.empty()) {
        book_.ledger.Leave(ByteState::kLeased, size_class, bytes);
      } else {
        book_.Move(ByteState::kLeased, ByteState::kBatched, segment);
      }
    }
    if (!segment.empty()) batch_.Add(std::move(segment), clock_.Now());
    // Whatever the error, the half-made segment ends before the answer.
    const bool exhausted = absl::IsResourceExhausted(status);
    MakeRoom(exhausted ? room : 0);
    if (!exhausted) return status;
  }
  return LackingRoom(std::move(status));
}

absl::Status SegmentPool::Reserve(SizeClass size_class) {
  const uint64_t bytes = book_.size_classes.Bytes(size_class);
  for (;;) {
    uint64_t missing = 0;
    {
      MutexLock lock(&book_.mutex);
      const uint64_t free = book_.ledger.free();
      if (free >= bytes) {
        book_.ledger.Enter(ByteState::kLeased, size_class, bytes);
        return absl::OkStatus();
      }
      missing = bytes - free;
      const uint64_t batched = book_.ledger.in(ByteState::kBatched);
      if (batched + book_.ledger.in(ByteState::kRetained) +
              book_.ledger.in(ByteState::kStock) <
          missing) {
        book_.stock.work().PauseUntil(clock_.Now() + StockKeeper::kPause);
        return RefusedForRoom(book_.ledger, bytes);
      }
      // What is batched is free once Batch has freed it.
      missing -= std::min(missing, batched);
    }
    MakeRoom(missing);
  }
}

void SegmentPool::MakeRoom(uint64_t bytes) {
  const absl::Time begun = clock_.Now();
  bytes -= std::min(bytes, stock_keeper_.GiveUp(bytes, StockKeeper::kPause));
  sorter_.ProveUnproven(absl::InfiniteFuture());
  std::vector<Segment> cold;
  {
    MutexLock lock(&book_.mutex);
    std::vector<Eviction> evicted;
    book_.bigcache.EvictForRoom(bytes, &evicted);
    cold = book_.AccountEvicted(std::move(evicted));
  }
  sorter_.HandOff(std::move(cold));
  batch_.Flush();
  make_room_latency_.Record(clock_.Now() - begun);
}

void SegmentPool::Return(Segment segment) {
  segment.set_zeroed(false);
  const uid_t owner = segment.owner();
  const uint64_t bytes = segment.bytes();
  const Verdict verdict = sorter_.ProveReturned(&segment);
  sorter_.Settle(std::move(segment), ByteState::kLeased, verdict);
  sorter_.ForgetLeased(owner, bytes);
}

void SegmentPool::ReturnReleased(Segment segment) {
  const uid_t owner = segment.owner();
  const uint64_t bytes = segment.bytes();
  absl::Time due;
  bool crowded = false;
  {
    MutexLock lock(&book_.mutex);
    const absl::Time now = clock_.Now();
    crowded = book_.IsCrowded(segment, now);
    // One that is to have another name has it before anybody can get it.
    if (!crowded && !book_.draining && book_.unproven.Accepts() &&
        !segment.name_is_stale() && sorter_.FitsItsClass(segment)) {
      book_.Move(ByteState::kLeased, ByteState::kRetained, segment);
      segment.set_zeroed(false);
      sorter_.CountUnproven(segment);
      book_.unproven.Add(std::move(segment), now);
      book_.RecordReturn();
      due = book_.unproven.NextDue();
    }
  }
  if (segment.empty()) {
    sorter_.ForgetLeased(owner, bytes);
    sorter_.ScheduleTick(due);
    return;
  }
  // BigCache keeps to its limits, but knows only what it has.
  if (crowded) sorter_.ProveUnproven(absl::InfiniteFuture());
  Return(std::move(segment));
}

bool SegmentPool::ProvePutOff() {
  {
    MutexLock lock(&book_.mutex);
    if (book_.unproven.size() == 0) return false;
  }
  sorter_.ProveUnproven(absl::InfiniteFuture());
  MutexLock lock(&book_.mutex);
  while (book_.unproven.is_proving()) book_.probed_condition.Wait(&book_.mutex);
  return true;
}

uint64_t SegmentPool::AwaitReturn(uint64_t seen, absl::Time until) {
  MutexLock lock(&book_.mutex);
  while (book_.returns <= seen && clock_.Now() < until) {
    book_.returned_condition.WaitFor(&book_.mutex, until - clock_.Now());
  }
  return book_.returns;
}

void SegmentPool::WakeAwaitReturn() {
  MutexLock lock(&book_.mutex);
  book_.RecordReturn();
}

void SegmentPool::Drain() {
  {
    MutexLock lock(&book_.mutex);
    book_.draining = true;
  }
  ReleaseUnused(EvictionReason::kDrained, absl::InfiniteDuration());
  prober_.ProbeAll(clock_.Now());
  batch_.Flush();
}

uint64_t SegmentPool::ReleaseUnused(EvictionReason reason,
                                    absl::Duration stock_pause) {
  uint64_t bytes = stock_keeper_.GiveUp(UINT64_MAX, stock_pause);
  sorter_.ProveUnproven(absl::InfiniteFuture());
  std::vector<Segment> cold;
  {
    MutexLock lock(&book_.mutex);
    std::vector<Eviction> evicted;
    book_.bigcache.EvictAll(reason, &evicted);
    cold = book_.AccountEvicted(std::move(evicted));
  }
  for (const Segment& segment : cold) bytes += segment.bytes();
  sorter_.HandOff(std::move(cold));
  batch_.Flush();
  return bytes;
}

void SegmentPool::AdoptLeased(const Segment& segment) {
  MutexLock lock(&book_.mutex);
  book_.ledger.Enter(ByteState::kLeased, segment.size_class(), segment.bytes());
  book_.bigcache.RecordAcquired(segment.owner(), segment.size_class(),
                                clock_.Now());
}

void SegmentPool::AddOverhead(uint64_t bytes) {
  MutexLock lock(&book_.mutex);
  book_.ledger.EnterOverhead(bytes);
}

void SegmentPool::Free(Segment segment) {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(&book_.mutex);
    book_.Move(ByteState::kLeased, ByteState::kBatched, segment);
    book_.bigcache.RecordDropped(segment.owner(), segment.size_class(), now);
    book_.RecordReturn();
  }
  sorter_.ForgetLeased(segment.owner(), segment.bytes());
  sorter_.AddToBatch(std::move(segment), now);
}

void SegmentPool::PutBackLeftover(Segment segment) {
  if (!prober_.PutBackLeftover(&segment)) Free(std::move(segment));
}

absl::Time SegmentPool::Tick() {
  const absl::Time now = clock_.Now();
  std::vector<Segment> cold;
  std::vector<Segment> surplus;
  {
    MutexLock lock(&book_.mutex);
    book_.next_tick = absl::InfiniteFuture();
    std::vector<Eviction> evicted;
    book_.bigcache.EvictDecayed(now, &evicted);
    cold = book_.AccountEvicted(std::move(evicted));
    surplus = book_.stock.TakeSurplus(now);
    book_.AccountCold(ByteState::kStock, surplus);
  }
  sorter_.HandOff(std::move(cold));
  sorter_.HandOff(std::move(surplus));
  prober_.ProbeDue(now);
  sorter_.ProveUnproven(now);
  const absl::Time next_batch = batch_.HandOverAged(now);
  MutexLock lock(&book_.mutex);
  book_.next_tick =
      std::min({book_.next_tick, next_batch, book_.bigcache.NextDecay(),
                book_.stock.NextSurplus(), book_.unproven.NextDue(),
                book_.quarantine.NextProbe()});
  return book_.next_tick;
}

SegmentPool::Stats SegmentPool::stats() const {
  Stats stats = book_.stats();
  stats.batch = batch_.counts();
  stats.make_latency = make_latency_.Take();
  stats.make_room_latency = make_room_latency_.Take();
  stats.flush_latency = batch_.flush_latency().Take();
  return stats;
}

void SegmentPool::CheckInvariants() const {
  book_.CheckInvariants();
  batch_.CheckInvariants();
}

}  // namespace warmpool
