#include "core/engine/bigcache.h"

#include <algorithm>
#include <numeric>

#include "core/base/check.h"

namespace warmpool {
namespace {

// The window of adaptive rings where nothing decays.
constexpr absl::Duration kDefaultWindow = absl::Seconds(10);

}  // namespace

uint64_t BigCache::Counts::evictions_total() const {
  return std::accumulate(evictions.begin(), evictions.end(), uint64_t{0});
}

BigCache::Counts& BigCache::Counts::operator+=(const Counts& other) {
  hits += other.hits;
  misses += other.misses;
  retained += other.retained;
  for (size_t i = 0; i < evictions.size(); ++i) {
    evictions[i] += other.evictions[i];
  }
  return *this;
}

BigCache::BigCache(const Options& options) : options_(options) {}

BigCache::~BigCache() {
  WARMPOOL_CHECK(order_.empty(), "BigCache destroyed before EvictAll");
}

std::optional<Segment> BigCache::Take(uid_t owner, SizeClass size_class,
                                      absl::Time now) {
  Ring& ring = RingOf(owner, size_class, now);
  ring.demand.Acquired(now);
  if (ring.slots.empty()) {
    ++CountsOf(size_class).misses;
    return std::nullopt;
  }
  ++CountsOf(size_class).hits;
  const Order::iterator newest = ring.slots.back();
  ring.slots.pop_back();
  Segment segment = std::move(newest->segment);
  retained_bytes_ -= segment.bytes();
  order_.erase(newest);
  return segment;
}

bool BigCache::Holds(uid_t owner, SizeClass size_class) const {
  const auto it = rings_.find(Key(owner, size_class));
  return it != rings_.end() && !it->second.slots.empty();
}

size_t BigCache::SlotsLeft(uid_t owner, SizeClass size_class, absl::Time now) {
  const Ring& ring = RingOf(owner, size_class, now);
  return LimitOf(ring) - std::min(LimitOf(ring), ring.slots.size());
}

void BigCache::RecordAcquired(uid_t owner, SizeClass size_class,
                              absl::Time now) {
  RingOf(owner, size_class, now).demand.Acquired(now);
}

void BigCache::RecordDropped(uid_t owner, SizeClass size_class,
                             absl::Time now) {
  RingOf(owner, size_class, now).demand.Released(now);
}

void BigCache::Retain(Segment segment, absl::Time now,
                      std::vector<Eviction>* evicted) {
  Ring& ring = RingOf(segment.owner(), segment.size_class(), now);
  ring.demand.Released(now);
  retained_bytes_ += segment.bytes();
  ++CountsOf(segment.size_class()).retained;
  order_.push_back(Entry{std::move(segment), now});
  ring.slots.push_back(std::prev(order_.end()));
  while (ring.slots.size() > LimitOf(ring)) {
    EvictFrom(ring, EvictionReason::kRingFull, evicted);
  }
  while (retained_bytes_ > options_.max_bytes) {
    EvictColdest(EvictionReason::kByteCap, evicted);
  }
}

absl::Time BigCache::EvictDecayed(absl::Time now,
                                  std::vector<Eviction>* evicted) {
  while (NextDecay() <= now) EvictColdest(EvictionReason::kDecayed, evicted);
  return NextDecay();
}

void BigCache::EvictForRoom(uint64_t bytes, std::vector<Eviction>* evicted) {
  uint64_t gained = 0;
  while (gained < bytes && !order_.empty()) {
    gained += order_.front().segment.bytes();
    EvictColdest(EvictionReason::kForRoom, evicted);
  }
}

void BigCache::EvictIf(absl::FunctionRef<bool(const Segment&)> unfit,
                       std::vector<Eviction>* evicted) {
  for (auto& [key, ring] : rings_) {
    for (size_t i = 0; i < ring.slots.size();) {
      if (unfit(ring.slots[i]->segment)) {
        Evict(ring, ring.slots.begin() + static_cast<ptrdiff_t>(i),
              EvictionReason::kUnfit, evicted);
      } else {
        ++i;
      }
    }
  }
}

void BigCache::EvictAll(EvictionReason reason, std::vector<Eviction>* evicted) {
  while (!order_.empty()) EvictColdest(reason, evicted);
}

absl::Time BigCache::NextDecay() const {
  if (order_.empty()) return absl::InfiniteFuture();
  return order_.front().retained_at + options_.decay;
}

BigCache::Counts& BigCache::CountsOf(SizeClass size_class) {
  if (size_class.index >= counts_.size()) counts_.resize(size_class.index + 1);
  return counts_[size_class.index];
}

BigCache::Counts BigCache::counts() const {
  Counts all;
  for (const Counts& counts : counts_) all += counts;
  return all;
}

std::vector<BigCache::Occupancy> BigCache::ClassOccupancy() const {
  std::vector<Occupancy> classes(counts_.size());
  for (const auto& [key, ring] : rings_) {
    // One that was only asked about.
    if (key.second.index >= classes.size()) continue;
    Occupancy& occupancy = classes[key.second.index];
    occupancy.segments += ring.slots.size();
    occupancy.slots += LimitOf(ring);
  }
  return classes;
}

size_t BigCache::LimitOf(const Ring& ring) const {
  if (options_.slots.has_value()) return *options_.slots;
  return std::max(kMinAdaptiveSlots, ring.demand.swing());
}

BigCache::Ring& BigCache::RingOf(uid_t owner, SizeClass size_class,
                                 absl::Time now) {
  const auto it = rings_.find(Key(owner, size_class));
  if (it != rings_.end()) return it->second;
  const absl::Duration window = options_.decay == absl::InfiniteDuration()
                                    ? kDefaultWindow
                                    : options_.decay;
  return rings_.emplace(Key(owner, size_class), Ring{{}, Demand(window, now)})
      .first->second;
}

void BigCache::Evict(Ring& ring, std::deque<Order::iterator>::iterator slot,
                     EvictionReason reason, std::vector<Eviction>* evicted) {
  const Order::iterator entry = *slot;
  ring.slots.erase(slot);
  retained_bytes_ -= entry->segment.bytes();
  ++CountsOf(entry->segment.size_class())
        .evictions[static_cast<size_t>(reason)];
  evicted->push_back(Eviction{std::move(entry->segment), reason});
  order_.erase(entry);
}

void BigCache::EvictFrom(Ring& ring, EvictionReason reason,
                         std::vector<Eviction>* evicted) {
  Evict(ring, ring.slots.begin(), reason, evicted);
}

void BigCache::EvictColdest(EvictionReason reason,
                            std::vector<Eviction>* evicted) {
  // The coldest of all is the oldest of its ring, since rings hold the common
  // order.
  const Segment& coldest = order_.front().segment;
  EvictFrom(rings_.at(Key(coldest.owner(), coldest.size_class())), reason,
            evicted);
}

void BigCache::CheckInvariants() const {
  uint64_t bytes = 0;
  absl::Time previous = absl::InfinitePast();
  for (const Entry& entry : order_) {
    bytes += entry.segment.bytes();
    WARMPOOL_CHECK(entry.retained_at >= previous, "order is not by age");
    previous = entry.retained_at;
  }
  WARMPOOL_CHECK(bytes == retained_bytes_, "retained bytes do not add up");
  WARMPOOL_CHECK(bytes <= options_.max_bytes, "more bytes than the cap");
  size_t slots = 0;
  for (const auto& [key, ring] : rings_) {
    slots += ring.slots.size();
    if (options_.slots.has_value()) {
      WARMPOOL_CHECK(ring.slots.size() <= *options_.slots, "ring over limit");
    }
    for (const Order::iterator& entry : ring.slots) {
      WARMPOOL_CHECK(
          Key(entry->segment.owner(), entry->segment.size_class()) == key,
          "segment in a ring that is not its own");
    }
  }
  WARMPOOL_CHECK(slots == order_.size(), "rings and order disagree");
}

}  // namespace warmpool
