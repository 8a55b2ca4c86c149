#include "client/cache/idle_leases.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/check.h"

namespace warmpool {
namespace {

uint64_t BytesOf(const IdleLeases::Surplus& surplus) {
  uint64_t bytes = 0;
  for (const Eviction& eviction : surplus) bytes += eviction.segment.bytes();
  return bytes;
}

}  // namespace

IdleLeases::IdleLeases(Tier* tier, uint64_t max_bytes, absl::Duration decay)
    : max_bytes_(max_bytes),
      classes_(MappedLease::Classes()),
      tier_(*tier),
      bigcache_({.max_bytes = max_bytes, .decay = decay}) {
  tier_.Close([](MappedLease*) {});
}

void IdleLeases::Wake() {
  awake_ = true;
  tier_.Open();
}

void IdleLeases::Rest(absl::Time now, Surplus* surplus) {
  if (!awake_ || Report().idle_leases() > 0) return;
  tier_.Close([&](MappedLease* lease) { Retain(lease, now, surplus); });
  // A lease may have come just before the tier was closed.
  awake_ = bigcache_.retained_segments() > 0;
  if (awake_) tier_.Open();
}

void IdleLeases::Shut(absl::Time now, Surplus* surplus) {
  awake_ = false;
  tier_.Close([&](MappedLease* lease) { Retain(lease, now, surplus); });
  bigcache_.EvictAll(EvictionReason::kDrained, surplus);
}

MappedLease* IdleLeases::Take(SizeClass size_class, MappedLease* ended,
                              absl::Time now, Surplus* surplus) {
  for (;;) {
    if (ended != nullptr) {
      ++dropped_by_take_;
      Drop(ended, now, surplus);
    }
    MappedLease* lease = tier_.Take(size_class);
    if (lease == nullptr) {
      std::optional<Segment> segment =
          bigcache_.Take(MappedLease::kOwner, size_class, now);
      if (!segment.has_value()) return nullptr;
      lease = MappedLease::Of(*segment);
      lease->segment = *std::move(segment);
    }
    if (!lease->has_ended()) return lease;
    ended = lease;
  }
}

void IdleLeases::Put(MappedLease* lease, absl::Time now, Surplus* surplus) {
  if (!tier_.Put(lease)) Retain(lease, now, surplus);
}

void IdleLeases::PutNew(MappedLease* lease, absl::Time now, Surplus* surplus) {
  // As if it had been in use: BigCache keeps as many as come back.
  bigcache_.RecordAcquired(MappedLease::kOwner, lease->size_class(), now);
  Retain(lease, now, surplus);
}

void IdleLeases::Retain(MappedLease* lease, absl::Time now, Surplus* surplus) {
  if (lease->has_ended()) return Drop(lease, now, surplus);
  bigcache_.Retain(lease->TakeSegment(), now, surplus);
}

void IdleLeases::Drop(MappedLease* lease, absl::Time now, Surplus* surplus) {
  RecordDropped(lease->size_class(), now);
  surplus->push_back({lease->TakeSegment(), EvictionReason::kUnfit});
}

void IdleLeases::RecordDropped(SizeClass size_class, absl::Time now) {
  bigcache_.RecordDropped(MappedLease::kOwner, size_class, now);
}

void IdleLeases::Sweep(absl::Time now, Surplus* surplus) {
  SweepTier(/*all=*/false, now, surplus);
  bigcache_.EvictIf(
      [](const Segment& segment) {
        return MappedLease::Of(segment)->has_ended();
      },
      surplus);
}

void IdleLeases::SweepTier(bool all, absl::Time now, Surplus* surplus) {
  tier_.Sweep(all, [&](MappedLease* lease) { Retain(lease, now, surplus); });
}

void IdleLeases::Trim(uint64_t wanted_bytes, absl::Time now, Surplus* surplus) {
  const uint64_t wanted = wanted_bytes == 0 ? UINT64_MAX : wanted_bytes;
  bigcache_.EvictForRoom(wanted, surplus);
  if (BytesOf(*surplus) >= wanted) return;
  SweepTier(/*all=*/true, now, surplus);
  bigcache_.EvictForRoom(wanted - std::min(wanted, BytesOf(*surplus)), surplus);
}

v1::IdleReport IdleLeases::Report() const {
  std::vector<uint64_t> leases(classes_.count());
  tier_.Count([&leases](SizeClass c) { return ++leases[c.index]; });
  const std::vector<BigCache::Occupancy> rings = bigcache_.ClassOccupancy();
  for (size_t i = 0; i < rings.size(); ++i) leases[i] += rings[i].segments;
  v1::IdleReport idle;
  uint64_t bytes = 0;
  uint64_t all_leases = 0;
  for (uint32_t index = 0; index < leases.size(); ++index) {
    if (leases[index] == 0) continue;
    v1::IdleReport::SizeClass& size_class = *idle.add_size_classes();
    size_class.set_segment_bytes(classes_.Bytes(SizeClass{index}));
    size_class.set_idle_leases(leases[index]);
    bytes += size_class.segment_bytes() * leases[index];
    all_leases += leases[index];
  }
  idle.set_idle_bytes(bytes);
  idle.set_idle_leases(all_leases);
  return idle;
}

uint64_t IdleLeases::hits() const {
  return tier_.taken() + bigcache_.counts().hits - dropped_by_take_;
}

void IdleLeases::CheckInvariants() const {
  bigcache_.CheckInvariants();
  WARMPOOL_CHECK(awake_ || Report().idle_leases() == 0, "asleep with leases");
}

}  // namespace warmpool
