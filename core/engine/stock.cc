#include "core/engine/stock.h"

#include <algorithm>

#include "core/base/check.h"

namespace warmpool {

Stock::~Stock() {
  WARMPOOL_CHECK(segments_ == 0, "Stock destroyed before TakeAll");
}

absl::Time Stock::RecordDemand(uid_t owner, SizeClass size_class, size_t bytes,
                               absl::Time now) {
  if (bytes > options_.max_bytes) return absl::InfiniteFuture();
  const auto [it, added] = shelves_.try_emplace(Key(size_class, owner));
  Shelf& shelf = it->second;
  if (added) {
    shelf.segment_bytes = bytes;
    shelf.window_end = now + options_.decay / 2;
  }
  Advance(shelf, now);
  ++shelf.demand;
  return shelf.window_end;
}

std::optional<Segment> Stock::Take(uid_t owner, SizeClass size_class) {
  const auto it = shelves_.find(Key(size_class, owner));
  if (it == shelves_.end() || it->second.segments.empty()) return std::nullopt;
  return TakeFrom(it->second, std::prev(it->second.segments.end()));
}

bool Stock::Holds(uid_t owner, SizeClass size_class) const {
  const auto it = shelves_.find(Key(size_class, owner));
  return it != shelves_.end() && !it->second.segments.empty();
}

bool Stock::Lacks(uid_t owner, SizeClass size_class) const {
  const auto it = shelves_.find(Key(size_class, owner));
  return it != shelves_.end() && Lacks(it->second);
}

bool Stock::LacksAny() const {
  return std::any_of(shelves_.begin(), shelves_.end(),
                     [this](const auto& entry) { return Lacks(entry.second); });
}

bool Stock::Lacks(const Shelf& shelf) const {
  return shelf.segments.size() + shelf.ordered < Wanted(shelf) &&
         bytes_ + ordered_bytes_ + shelf.segment_bytes <= options_.max_bytes;
}

std::optional<Stock::Order> Stock::PlaceOrder(uint64_t room, absl::Time now) {
  auto chosen = shelves_.end();
  for (auto it = shelves_.begin(); it != shelves_.end(); ++it) {
    Shelf& shelf = it->second;
    Advance(shelf, now);
    if (shelf.segment_bytes > room || !Lacks(shelf)) continue;
    if (chosen == shelves_.end() || shelf.bytes() < chosen->second.bytes()) {
      chosen = it;
    }
  }
  if (chosen == shelves_.end()) return std::nullopt;
  const auto& [size_class, owner] = chosen->first;
  ++chosen->second.ordered;
  ordered_bytes_ += chosen->second.segment_bytes;
  return Order{owner, size_class, chosen->second.segment_bytes};
}

void Stock::Put(Segment segment) {
  Cancel({segment.owner(), segment.size_class(), segment.bytes()});
  bytes_ += segment.bytes();
  ++segments_;
  shelves_.at(Key(segment.size_class(), segment.owner()))
      .segments.push_back(std::move(segment));
}

void Stock::Cancel(const Order& order) {
  Shelf& shelf = shelves_.at(Key(order.size_class, order.owner));
  WARMPOOL_CHECK(shelf.ordered > 0, "nothing was ordered");
  --shelf.ordered;
  ordered_bytes_ -= order.bytes;
}

std::vector<Segment> Stock::TakeSurplus(absl::Time now) {
  std::vector<Segment> surplus;
  for (auto it = shelves_.begin(); it != shelves_.end();) {
    Shelf& shelf = it->second;
    Advance(shelf, now);
    while (shelf.segments.size() > Wanted(shelf)) {
      surplus.push_back(TakeFrom(shelf, shelf.segments.begin()));
    }
    const bool forgotten =
        shelf.demand == 0 && shelf.demand_before == 0 && shelf.ordered == 0;
    it = forgotten ? shelves_.erase(it) : std::next(it);
  }
  return surplus;
}

std::vector<Segment> Stock::TakeForRoom(uint64_t bytes) {
  std::vector<Segment> taken;
  uint64_t gained = 0;
  for (auto it = shelves_.rbegin(); it != shelves_.rend(); ++it) {
    Shelf& shelf = it->second;
    while (gained < bytes && !shelf.segments.empty()) {
      gained += shelf.segment_bytes;
      taken.push_back(TakeFrom(shelf, std::prev(shelf.segments.end())));
    }
  }
  return taken;
}

absl::Time Stock::NextSurplus() const {
  absl::Time next = absl::InfiniteFuture();
  for (const auto& [key, shelf] : shelves_) {
    next = std::min(next, shelf.window_end);
  }
  return next;
}

size_t Stock::Wanted(const Shelf& shelf) const {
  if (shelf.demand + shelf.demand_before < kMinDemand) return 0;
  return std::min(std::max(shelf.demand, shelf.demand_before),
                  options_.max_per_class);
}

void Stock::Advance(Shelf& shelf, absl::Time now) const {
  if (now < shelf.window_end) return;
  const absl::Duration window = options_.decay / 2;
  const bool skipped = now >= shelf.window_end + window;
  shelf.demand_before = skipped ? 0 : shelf.demand;
  shelf.demand = 0;
  shelf.window_end = skipped ? now + window : shelf.window_end + window;
}

Segment Stock::TakeFrom(Shelf& shelf, std::vector<Segment>::iterator segment) {
  Segment taken = std::move(*segment);
  shelf.segments.erase(segment);
  bytes_ -= taken.bytes();
  --segments_;
  return taken;
}

void Stock::CheckInvariants() const {
  work_.CheckInvariants();
  size_t segments = 0;
  uint64_t bytes = 0;
  uint64_t ordered_bytes = 0;
  for (const auto& [key, shelf] : shelves_) {
    segments += shelf.segments.size();
    ordered_bytes += shelf.ordered * shelf.segment_bytes;
    WARMPOOL_CHECK(
        shelf.segments.size() + shelf.ordered <= options_.max_per_class,
        "more segments on a shelf than its limit");
    for (const Segment& segment : shelf.segments) {
      bytes += segment.bytes();
      WARMPOOL_CHECK(Key(segment.size_class(), segment.owner()) == key,
                     "segment on a shelf that is not its own");
      WARMPOOL_CHECK(segment.bytes() == shelf.segment_bytes,
                     "segment of another size than its shelf's");
    }
  }
  WARMPOOL_CHECK(segments == segments_, "stocked segments do not add up");
  WARMPOOL_CHECK(bytes == bytes_, "stocked bytes do not add up");
  WARMPOOL_CHECK(ordered_bytes == ordered_bytes_,
                 "bytes on order do not add up");
  WARMPOOL_CHECK(bytes_ + ordered_bytes_ <= options_.max_bytes,
                 "more stock than the cap");
}

}  // namespace warmpool
