// How segments are made ahead of demand, leased from there, and given up.
#include <algorithm>
#include <utility>

#include "core/engine/segment_pool.h"

namespace warmpool {
namespace {

// Stock is made of what would still be free beside it: of an eighth of the
// capacity, so that a lease seldom has to end stock first, and of half of what
// the machine has, which is not ours alone.
constexpr uint64_t kHeadroomShare = 8;
constexpr uint64_t kMachineShare = 2;

uint64_t BytesOf(const std::vector<Segment>& segments) {
  uint64_t bytes = 0;
  for (const Segment& segment : segments) bytes += segment.bytes();
  return bytes;
}

}  // namespace

std::optional<Segment> SegmentPool::TakeStock(const AcquireRequest& request,
                                              SizeClass size_class) {
  const uid_t owner = request.owner;
  std::optional<Segment> segment;
  absl::Time due;
  {
    MutexLock lock(&mutex_);
    if (request.if_ready && !stock_.Holds(owner, size_class)) {
      return std::nullopt;
    }
    const absl::Time now = clock_.Now();
    if (request.require_zeroed) {
      ++AcquireCountsLocked(size_class).misses_zeroed;
      bigcache_.RecordAcquired(owner, size_class, now);
    }
    due = stock_.RecordDemand(owner, size_class,
                              size_classes_.Bytes(size_class), now);
  }
  bool wanted = false;
  for (;;) {
    {
      MutexLock lock(&mutex_);
      segment = stock_.Take(owner, size_class);
      wanted = stock_.Lacks(owner, size_class);
      if (!segment.has_value()) break;
      MoveLocked(ByteState::kStock, ByteState::kLeased, *segment);
    }
    // A process of the same uid may have found it meanwhile.
    const Verdict verdict = source_.Prove(*segment);
    {
      MutexLock lock(&mutex_);
      if (verdict == Verdict::kFree) {
        ++AcquireCountsLocked(size_class).stock;
        break;
      }
      ++AcquireCountsLocked(size_class).failed_proofs;
      // As in Adopt.
      bigcache_.RecordAcquired(owner, size_class, clock_.Now());
    }
    Settle(*std::move(segment), ByteState::kLeased, verdict);
  }
  if (due < absl::InfiniteFuture()) ScheduleTick(due);
  if (wanted) RecordStockWanted();
  return segment;
}

bool SegmentPool::MakeStock(StepRunner run_step) {
  const std::optional<Stock::Order> order = BeginStock();
  if (!order.has_value()) return false;
  Segment segment;
  absl::Status status = source_.Make(order->size_class, order->bytes,
                                     order->owner, Purpose::kStock, &segment);
  bool running = true;
  for (uint64_t done = 0; status.ok() && running && done < order->bytes;
       done += kStockStepBytes) {
    const uint64_t bytes = std::min(kStockStepBytes, order->bytes - done);
    running = !StockGivenUp() && run_step([&] {
      status = source_.Populate(segment, done, bytes);
    });
  }
  FinishStock(*order, std::move(segment), status.ok() && running);
  return true;
}

std::optional<Stock::Order> SegmentPool::BeginStock() {
  const uint64_t machine_free = source_.FreeBytes().value_or(0);
  MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  if (draining_ || !stock_.work().MayBegin(now)) return std::nullopt;
  const uint64_t headroom = ledger_.capacity() / kHeadroomShare;
  const uint64_t free = ledger_.free() - std::min(ledger_.free(), headroom);
  std::optional<Stock::Order> order =
      stock_.PlaceOrder(std::min(free, machine_free / kMachineShare), now);
  if (order.has_value()) {
    ledger_.Enter(ByteState::kStock, order->size_class, order->bytes);
    stock_.work().Begin();
  } else {
    stock_.work().set_lacks_room(stock_.LacksAny());
  }
  return order;
}

void SegmentPool::FinishStock(const Stock::Order& order, Segment segment,
                              bool made) {
  absl::Time now;
  absl::Time due = absl::InfiniteFuture();
  {
    MutexLock lock(&mutex_);
    now = clock_.Now();
    if (made && !stock_.work().given_up() && !draining_) {
      stock_.Put(std::move(segment));
      due = stock_.NextSurplus();
    } else {
      stock_.Cancel(order);
      // What failed would fail again at once.
      stock_.work().PauseUntil(now + kStockPause);
      if (segment.empty()) {
        ledger_.Leave(ByteState::kStock, order.size_class, order.bytes);
      } else {
        MoveLocked(ByteState::kStock, ByteState::kBatched, segment);
      }
    }
  }
  if (!segment.empty()) {
    batch_.Add(std::move(segment), now);
    due = now + batch_max_age_;
  }
  {
    MutexLock lock(&mutex_);
    stock_.work().End();
  }
  // Batch has it by now: whoever waited flushes that.
  stock_finished_condition_.NotifyAll();
  ScheduleTick(due);
}

uint64_t SegmentPool::GiveUpStock(uint64_t bytes, absl::Duration pause) {
  std::vector<Segment> cold;
  uint64_t gained = 0;
  {
    MutexLock lock(&mutex_);
    stock_.work().PauseUntil(clock_.Now() + pause);
    cold = stock_.TakeForRoom(bytes);
    AccountColdLocked(ByteState::kStock, cold);
    gained = BytesOf(cold);
    if (gained < bytes && stock_.work().running()) {
      stock_.work().GiveUp();
      gained += stock_.ordered_bytes();
      while (stock_.work().running()) stock_finished_condition_.Wait(&mutex_);
      // It was finished just before, or others came.
      std::vector<Segment> late =
          stock_.TakeForRoom(bytes - std::min(bytes, gained));
      AccountColdLocked(ByteState::kStock, late);
      gained += BytesOf(late);
      std::move(late.begin(), late.end(), std::back_inserter(cold));
    }
  }
  HandOff(std::move(cold));
  return gained;
}

bool SegmentPool::StockGivenUp() const {
  MutexLock lock(&mutex_);
  return stock_.work().given_up() || draining_;
}

void SegmentPool::RecordStockWanted() {
  if (on_stock_wanted_) on_stock_wanted_();
}

}  // namespace warmpool
