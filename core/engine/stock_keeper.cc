#include "core/engine/stock_keeper.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

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

StockKeeper::StockKeeper(EngineBook* book, SegmentSource* source,
                         const Clock* clock, Sorter* sorter,
                         std::function<void()> on_wanted)
    : book_(*book),
      source_(*source),
      clock_(*clock),
      sorter_(*sorter),
      on_wanted_(std::move(on_wanted)) {}

std::optional<Segment> StockKeeper::Take(const AcquireRequest& request,
                                         SizeClass size_class) {
  const uid_t owner = request.owner;
  std::optional<Segment> segment;
  absl::Time due;
  {
    MutexLock lock(&book_.mutex);
    if (request.if_ready && !book_.stock.Holds(owner, size_class)) {
      return std::nullopt;
    }
    const absl::Time now = clock_.Now();
    if (request.require_zeroed) {
      ++book_.CountsOf(size_class).misses_zeroed;
      book_.bigcache.RecordAcquired(owner, size_class, now);
    }
    due = book_.stock.RecordDemand(owner, size_class,
                                   book_.size_classes.Bytes(size_class), now);
  }
  bool wanted = false;
  for (;;) {
    {
      MutexLock lock(&book_.mutex);
      segment = book_.stock.Take(owner, size_class);
      wanted = book_.stock.Lacks(owner, size_class);
      if (!segment.has_value()) break;
      book_.Move(ByteState::kStock, ByteState::kLeased, *segment);
    }
    // A process of the same uid may have found it meanwhile.
    const Verdict verdict = source_.Prove(*segment);
    {
      MutexLock lock(&book_.mutex);
      if (verdict == Verdict::kFree) {
        ++book_.CountsOf(size_class).stock;
        break;
      }
      ++book_.CountsOf(size_class).failed_proofs;
      // Its end will be noted as that of a segment in use.
      book_.bigcache.RecordAcquired(owner, size_class, clock_.Now());
    }
    sorter_.Settle(*std::move(segment), ByteState::kLeased, verdict);
  }
  if (due < absl::InfiniteFuture()) sorter_.ScheduleTick(due);
  if (wanted) NotifyWanted();
  return segment;
}

bool StockKeeper::MakeOne(StepRunner run_step) {
  const std::optional<Stock::Order> order = Begin();
  if (!order.has_value()) return false;
  Segment segment;
  absl::Status status = source_.Make(order->size_class, order->bytes,
                                     order->owner, Purpose::kStock, &segment);
  bool running = true;
  for (uint64_t done = 0; status.ok() && running && done < order->bytes;
       done += kStepBytes) {
    const uint64_t bytes = std::min(kStepBytes, order->bytes - done);
    running = !IsGivenUp() && run_step([&] {
      status = source_.Populate(segment, done, bytes);
    });
  }
  Finish(*order, std::move(segment), status.ok() && running);
  return true;
}

std::optional<Stock::Order> StockKeeper::Begin() {
  const uint64_t machine_free = source_.FreeBytes().value_or(0);
  MutexLock lock(&book_.mutex);
  const absl::Time now = clock_.Now();
  if (book_.draining || !book_.stock.work().MayBegin(now)) return std::nullopt;
  const uint64_t headroom = book_.ledger.capacity() / kHeadroomShare;
  const uint64_t free =
      book_.ledger.free() - std::min(book_.ledger.free(), headroom);
  std::optional<Stock::Order> order =
      book_.stock.PlaceOrder(std::min(free, machine_free / kMachineShare), now);
  if (order.has_value()) {
    book_.ledger.Enter(ByteState::kStock, order->size_class, order->bytes);
    book_.stock.work().Begin();
  } else {
    book_.stock.work().set_lacks_room(book_.stock.LacksAny());
  }
  return order;
}

void StockKeeper::Finish(const Stock::Order& order, Segment segment,
                         bool made) {
  absl::Time now;
  absl::Time due = absl::InfiniteFuture();
  {
    MutexLock lock(&book_.mutex);
    now = clock_.Now();
    if (made && !book_.stock.work().given_up() && !book_.draining) {
      book_.stock.Put(std::move(segment));
      due = book_.stock.NextSurplus();
    } else {
      book_.stock.Cancel(order);
      // What failed would fail again at once.
      book_.stock.work().PauseUntil(now + kPause);
      if (segment.empty()) {
        book_.ledger.Leave(ByteState::kStock, order.size_class, order.bytes);
      } else {
        book_.Move(ByteState::kStock, ByteState::kBatched, segment);
      }
    }
  }
  if (!segment.empty()) sorter_.AddToBatch(std::move(segment), now);
  {
    MutexLock lock(&book_.mutex);
    book_.stock.work().End();
  }
  // Batch has it by now: whoever waited flushes that.
  book_.stock_finished_condition.NotifyAll();
  sorter_.ScheduleTick(due);
}

uint64_t StockKeeper::GiveUp(uint64_t bytes, absl::Duration pause) {
  std::vector<Segment> cold;
  uint64_t gained = 0;
  {
    MutexLock lock(&book_.mutex);
    book_.stock.work().PauseUntil(clock_.Now() + pause);
    cold = book_.stock.TakeForRoom(bytes);
    book_.AccountCold(ByteState::kStock, cold);
    gained = BytesOf(cold);
    if (gained < bytes && book_.stock.work().running()) {
      book_.stock.work().GiveUp();
      gained += book_.stock.ordered_bytes();
      while (book_.stock.work().running()) {
        book_.stock_finished_condition.Wait(&book_.mutex);
      }
      // It was finished just before, or others came.
      std::vector<Segment> late =
          book_.stock.TakeForRoom(bytes - std::min(bytes, gained));
      book_.AccountCold(ByteState::kStock, late);
      gained += BytesOf(late);
      std::move(late.begin(), late.end(), std::back_inserter(cold));
    }
  }
  sorter_.HandOff(std::move(cold));
  return gained;
}

bool StockKeeper::IsGivenUp() const {
  MutexLock lock(&book_.mutex);
  return book_.stock.work().given_up() || book_.draining;
}

void StockKeeper::NotifyWanted() {
  if (on_wanted_) on_wanted_();
}

}  // namespace warmpool
