// How segments are acquired and ended; how they come back is in
// segment_pool_return.cc, what happens to those that somebody still has in
// segment_pool_quarantine.cc, how they are made ahead in segment_pool_stock.cc,
// and how all that no lease needs ends at once in segment_pool_shed.cc.
#include "core/engine/segment_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace warmpool {
namespace {

// Marks a status (absl::Status::SetPayload); it does not leave the process.
constexpr char kLacksRoom[] = "warmpool/lacks-room";

absl::Status LackingRoom(absl::Status status) {
  status.SetPayload(kLacksRoom, absl::Cord());
  return status;
}

}  // namespace

bool LacksRoom(const absl::Status& status) {
  return status.GetPayload(kLacksRoom).has_value();
}

SegmentPool::SegmentPool(SegmentSource* source, SystemCalls* calls,
                         const Clock* clock, const Options& options)
    : size_classes_(options.max_segment_bytes),
      source_(*source),
      clock_(*clock),
      on_due_earlier_(options.on_due_earlier),
      on_stock_wanted_(options.on_stock_wanted),
      batch_max_age_(options.batch.max_age),
      leftover_grace_(options.leftover_grace),
      max_retained_bytes_(options.bigcache.max_bytes),
      quota_(options.quota),
      ledger_(options.capacity_bytes),
      bigcache_(options.bigcache),
      unproven_(options.prove_within),
      stock_(options.stock),
      batch_(calls, options.batch, [this](absl::Span<const Segment> ended) {
        bool stock_lacked_room = false;
        {
          MutexLock lock(&mutex_);
          for (const Segment& segment : ended) {
            ledger_.Leave(ByteState::kBatched, segment.size_class(),
                          segment.bytes());
          }
          stock_lacked_room = stock_.work().TakeLacksRoom();
        }
        if (stock_lacked_room) RecordStockWanted();
      }) {
  ledger_.EnterOverhead(options.overhead_bytes);
}

SegmentPool::~SegmentPool() {
  Drain();
  std::vector<Quarantine::Entry> quarantined;
  {
    MutexLock lock(&mutex_);
    quarantined = quarantine_.TakeAll();
  }
  for (Quarantine::Entry& entry : quarantined) {
    // The next daemon can't know that its lease has ended, unless by that.
    if (!entry.leftover) SetAside(&entry);
    batch_.Detach(std::move(entry.segment));
  }
}

absl::StatusOr<SegmentPool::Acquired> SegmentPool::Acquire(
    const AcquireRequest& request) {
  const absl::StatusOr<SizeClass> size_class = size_classes_.For(request.bytes);
  if (!size_class.ok()) return size_class.status();
  if (!request.require_zeroed) {
    if (std::optional<Segment> warm = TakeWarm(request, *size_class)) {
      return Acquired{*std::move(warm), Warmth::kWarm};
    }
  }
  if (std::optional<Segment> stocked = TakeStock(request, *size_class)) {
    return Acquired{*std::move(stocked), Warmth::kStock};
  }
  if (request.if_ready) return absl::NotFoundError("no such memory is ready");
  absl::StatusOr<Segment> fresh = MakeFresh(request, *size_class);
  MutexLock lock(&mutex_);
  if (!fresh.ok()) {
    bigcache_.RecordDropped(request.owner, *size_class, clock_.Now());
    return fresh.status();
  }
  ++AcquireCountsLocked(*size_class).fresh;
  return Acquired{*std::move(fresh), Warmth::kFresh};
}

std::optional<Segment> SegmentPool::TakeWarm(const AcquireRequest& request,
                                             SizeClass size_class) {
  for (;;) {
    std::optional<Segment> segment;
    bool from_bigcache = false;
    {
      MutexLock lock(&mutex_);
      segment = unproven_.Take(request.owner, size_class);
      from_bigcache = !segment.has_value();
      if (from_bigcache) {
        if (request.if_ready && !bigcache_.Holds(request.owner, size_class) &&
            !stock_.Holds(request.owner, size_class)) {
          return std::nullopt;
        }
        segment = bigcache_.Take(request.owner, size_class, clock_.Now());
        if (!segment.has_value()) return std::nullopt;
      }
      MoveLocked(ByteState::kRetained, ByteState::kLeased, *segment);
    }
    // One whose proof was put off may have been sealed.
    const Verdict verdict = ProveReturned(&*segment);
    {
      MutexLock lock(&mutex_);
      if (verdict == Verdict::kFree) {
        ++AcquireCountsLocked(size_class).warm;
        // It was not given up as yet, so demand is what it was.
        if (!from_bigcache) {
          bigcache_.RecordPassedOn(size_class);
          ForgetUnproven(segment->owner(), segment->bytes());
        }
        return segment;
      }
      AcquireCountsLocked(size_class).failed_proofs += from_bigcache;
    }
    const uid_t owner = segment->owner();
    const uint64_t bytes = segment->bytes();
    Settle(*std::move(segment), ByteState::kLeased, verdict);
    if (!from_bigcache) ForgetUnproven(owner, bytes);
  }
}

absl::StatusOr<Segment> SegmentPool::MakeFresh(const AcquireRequest& request,
                                               SizeClass size_class) {
  const size_t bytes = size_classes_.Bytes(size_class);
  absl::Status status;
  // The filesystem may have less room than the capacity promises. What is
  // retained makes room: first as much as is needed, then all there is.
  for (const uint64_t room : {uint64_t{bytes}, UINT64_MAX, uint64_t{0}}) {
    status = Reserve(size_class);
    if (!status.ok()) return status;
    Segment segment;
    const absl::Time begun = clock_.Now();
    status = source_.Make(size_class, bytes, request.owner, Purpose::kLease,
                          &segment);
    if (status.ok()) {
      make_latency_.Record(clock_.Now() - begun);
      return segment;
    }
    {
      MutexLock lock(&mutex_);
      if (segment.empty()) {
        ledger_.Leave(ByteState::kLeased, size_class, bytes);
      } else {
        MoveLocked(ByteState::kLeased, ByteState::kBatched, segment);
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
  const uint64_t bytes = size_classes_.Bytes(size_class);
  for (;;) {
    uint64_t missing = 0;
    {
      MutexLock lock(&mutex_);
      const uint64_t free = ledger_.free();
      if (free >= bytes) {
        ledger_.Enter(ByteState::kLeased, size_class, bytes);
        return absl::OkStatus();
      }
      missing = bytes - free;
      const uint64_t retained = ledger_.in(ByteState::kRetained);
      const uint64_t batched = ledger_.in(ByteState::kBatched);
      const uint64_t endable =
          retained + batched + ledger_.in(ByteState::kStock);
      if (endable < missing) {
        stock_.work().PauseUntil(clock_.Now() + kStockPause);
        const uint64_t most =
            ledger_.capacity() -
            std::min(ledger_.capacity(), ledger_.in(ByteState::kOverhead));
        absl::Status refusal = absl::ResourceExhaustedError(absl::StrCat(
            "no room for ", bytes, " bytes (", FormatByteSize(bytes), "): ",
            free + endable, " bytes free (", FormatByteSize(free + endable),
            ") of a capacity of ", FormatByteSize(ledger_.capacity()), ", ",
            FormatByteSize(ledger_.in(ByteState::kLeased)), " leased, ",
            FormatByteSize(ledger_.in(ByteState::kQuarantined)),
            " quarantined: release some, or have the capacity raised"));
        return bytes > most ? refusal : LackingRoom(std::move(refusal));
      }
      // What is batched will be free once it has ended.
      missing -= std::min(missing, batched);
    }
    MakeRoom(missing);
  }
}

void SegmentPool::MakeRoom(uint64_t bytes) {
  const absl::Time begun = clock_.Now();
  bytes -= std::min(bytes, GiveUpStock(bytes, kStockPause));
  ProveUnproven(absl::InfiniteFuture());
  std::vector<Segment> cold;
  {
    MutexLock lock(&mutex_);
    std::vector<Eviction> evicted;
    bigcache_.EvictForRoom(bytes, &evicted);
    cold = AccountEvictedLocked(std::move(evicted));
  }
  HandOff(std::move(cold));
  batch_.Flush();
  make_room_latency_.Record(clock_.Now() - begun);
}

void SegmentPool::AdoptLeased(const Segment& segment) {
  MutexLock lock(&mutex_);
  ledger_.Enter(ByteState::kLeased, segment.size_class(), segment.bytes());
  bigcache_.RecordAcquired(segment.owner(), segment.size_class(), clock_.Now());
}

void SegmentPool::AddOverhead(uint64_t bytes) {
  MutexLock lock(&mutex_);
  ledger_.EnterOverhead(bytes);
}

void SegmentPool::End(Segment segment) {
  const absl::Time now = clock_.Now();
  {
    MutexLock lock(&mutex_);
    MoveLocked(ByteState::kLeased, ByteState::kBatched, segment);
    bigcache_.RecordDropped(segment.owner(), segment.size_class(), now);
    RecordReturnLocked();
  }
  ForgetLeased(segment.owner(), segment.bytes());
  batch_.Add(std::move(segment), now);
  ScheduleTick(now + batch_max_age_);
}

void SegmentPool::Detach(Segment segment) { batch_.Detach(std::move(segment)); }

absl::Time SegmentPool::Tick() {
  const absl::Time now = clock_.Now();
  std::vector<Segment> cold;
  std::vector<Segment> surplus;
  {
    MutexLock lock(&mutex_);
    next_tick_ = absl::InfiniteFuture();
    std::vector<Eviction> evicted;
    bigcache_.EvictDecayed(now, &evicted);
    cold = AccountEvictedLocked(std::move(evicted));
    surplus = stock_.TakeSurplus(now);
    AccountColdLocked(ByteState::kStock, surplus);
  }
  HandOff(std::move(cold));
  HandOff(std::move(surplus));
  ProbeQuarantined(now);
  ProveUnproven(now);
  const absl::Time next_batch = batch_.HandOverAged(now);
  MutexLock lock(&mutex_);
  next_tick_ = std::min({next_tick_, next_batch, bigcache_.NextDecay(),
                         stock_.NextSurplus(), unproven_.NextDue(),
                         quarantine_.NextProbe()});
  return next_tick_;
}

void SegmentPool::HandOff(std::vector<Segment> cold) {
  if (cold.empty()) return;
  const absl::Time now = clock_.Now();
  for (Segment& segment : cold) {
    // Ages ago it was proven: somebody may have opened or linked it since.
    const Verdict verdict = source_.Prove(segment);
    if (verdict == Verdict::kInUse && QuarantineEvicted(&segment)) continue;
    batch_.Add(std::move(segment), now,
               /*proven_unused=*/verdict != Verdict::kInUse);
  }
  ScheduleTick(now + batch_max_age_);
}

std::vector<Segment> SegmentPool::AccountEvictedLocked(
    std::vector<Eviction> evicted) {
  std::vector<Segment> cold;
  cold.reserve(evicted.size());
  for (Eviction& eviction : evicted) {
    cold.push_back(std::move(eviction.segment));
  }
  AccountColdLocked(ByteState::kRetained, cold);
  return cold;
}

void SegmentPool::AccountColdLocked(ByteState from,
                                    const std::vector<Segment>& cold) {
  for (const Segment& segment : cold) {
    MoveLocked(from, ByteState::kBatched, segment);
  }
}

void SegmentPool::MoveLocked(ByteState from, ByteState to,
                             const Segment& segment) {
  ledger_.Move(from, to, segment.size_class(), segment.bytes());
}

void SegmentPool::ScheduleTick(absl::Time due) {
  {
    MutexLock lock(&mutex_);
    if (due >= next_tick_) return;
    next_tick_ = due;
  }
  if (on_due_earlier_) on_due_earlier_();
}

void SegmentPool::CountUnproven(const Segment& segment) {
  if (quota_ != nullptr) quota_->AddUnproven(segment.owner(), segment.bytes());
}

void SegmentPool::ForgetUnproven(uid_t owner, uint64_t bytes) {
  if (quota_ != nullptr) quota_->RemoveUnproven(owner, bytes);
}

void SegmentPool::ForgetLeased(uid_t owner, uint64_t bytes) {
  if (quota_ != nullptr) quota_->ReleaseBytes(owner, bytes);
}

void SegmentPool::CheckInvariants() const {
  {
    MutexLock lock(&mutex_);
    bigcache_.CheckInvariants();
    unproven_.CheckInvariants();
    WARMPOOL_CHECK(ledger_.in(ByteState::kRetained) ==
                       bigcache_.retained_bytes() + unproven_.bytes(),
                   "the ledger and BigCache disagree");
    stock_.CheckInvariants();
    WARMPOOL_CHECK(ledger_.in(ByteState::kStock) ==
                       stock_.bytes() + stock_.ordered_bytes(),
                   "the ledger and Stock disagree");
    quarantine_.CheckInvariants();
    WARMPOOL_CHECK(ledger_.in(ByteState::kQuarantined) ==
                       quarantine_.bytes() + quarantine_.probing().bytes(),
                   "the ledger and Quarantine disagree");
  }
  batch_.CheckInvariants();
}

}  // namespace warmpool
