#include "tests/core/pool/model/pool_world.h"

#include <errno.h>

#include <algorithm>
#include <utility>

#include "gmock/gmock-matchers.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

// More than the capacity has room for.
constexpr size_t kManySegments = 1'000'000;
// Watches all buffers, and has no lease.
constexpr HolderId kWatcher = 1'000'000;

}  // namespace

PoolWorld::PoolWorld(uint64_t seed)
    : random(seed),
      ids(seed),
      tampers(Chance(50)),
      max_open_segments(Chance(50) ? Random(6) : kManySegments) {
  StartPool();
}

void PoolWorld::StartPool() {
  directory =
      SegmentDirectory::Open(scratch.Join("pool"), "a model", &calls, &ids,
                             {.max_open_segments = max_open_segments})
          .value();
  options = RandomOptions();
  pool = std::make_unique<Pool>(directory.get(), &calls, &clock, &ids, options);
  pool->AddHolder({kWatcher, 1, 0, "watcher", /*admin=*/true});
  watch = pool->Watch(kWatcher, "", [this] { watch_was_woken = true; }).value();
  pool->RemoveHolder(kWatcher);
  EXPECT_EQ(watch->Next()->kind, BufferEvents::Kind::kResync);
  EXPECT_EQ(watch->Next(), nullptr);
}

Pool::Options PoolWorld::RandomOptions() {
  Pool::Options random_options;
  random_options.default_ttl = absl::Seconds(5);
  random_options.max_ttl = absl::Seconds(20);
  if (Chance(50)) random_options.quota.max_leases = 20;
  random_options.on_revoked = [this](const RevokedLease& lease) {
    revoked.push_back(lease);
    // Hangs if this is called under the pool's lock.
    (void)pool->HasLeases(lease.holder);
  };
  random_options.on_refused = [this](const Refusal& refusal) {
    refused.push_back(refusal.status);
  };
  if (Chance(50)) {
    random_options.run_later = [this](uid_t, std::function<void()> work) {
      later.push_back(std::move(work));
    };
  }
  SegmentPool::Options& segments = random_options.segments;
  segments.capacity_bytes = kCapacity;
  segments.max_segment_bytes = kMaxBytes;
  segments.on_due_earlier = [this] { is_due_earlier = true; };
  segments.overhead_bytes = directory->overhead_bytes();
  segments.bigcache.slots = Random(4);
  if (Chance(25)) segments.bigcache.slots = std::nullopt;
  if (Chance(25)) segments.bigcache.max_bytes = 256 * kKiB;
  segments.bigcache.decay =
      Chance(25) ? absl::InfiniteDuration() : absl::Seconds(10);
  // Ended by their adders, so that each step's effect can be counted.
  segments.batch.drain = UnmapBatch::Drain::kInline;
  segments.batch.threshold_bytes = Random(3) * 256 * kKiB;
  if (Chance(50)) segments.batch.max_age = absl::Seconds(1);
  if (Chance(50)) segments.prove_within = absl::Milliseconds(20);
  return random_options;
}

RequestedTtl PoolWorld::RandomTtl() {
  switch (Random(4)) {
    case 0: return std::nullopt;
    case 1: return absl::ZeroDuration();
    default: return absl::Seconds(1 + Random(30));
  }
}

absl::Duration PoolWorld::GrantedTtl(RequestedTtl requested) const {
  return std::min(requested.value_or(options.default_ttl), options.max_ttl);
}

void PoolWorld::InjectFaults() {
  constexpr Call kKinds[] = {Call::kOpen,  Call::kFallocate, Call::kFstat,
                             Call::kFcntl, Call::kFstatfs,   Call::kChown,
                             Call::kChmod, Call::kFsetxattr, Call::kRename};
  constexpr int kErrors[] = {ENOSPC, EMFILE, EINTR, ENOMEM, EIO};
  for (uint64_t i = 0; i <= Random(2); ++i) {
    calls.FailNth(kKinds[Random(std::size(kKinds))], 1 + Random(2),
                  kErrors[Random(std::size(kErrors))], 1 + Random(3));
  }
}

void PoolWorld::RunLater() {
  while (!later.empty()) {
    for (const auto& work : std::exchange(later, {})) work();
  }
}

std::vector<BufferEvents::Event> PoolWorld::TakeEvents() {
  std::vector<BufferEvents::Event> events;
  while (std::shared_ptr<const BufferEvents::Event> event = watch->Next()) {
    events.push_back(*event);
  }
  EXPECT_EQ(std::exchange(watch_was_woken, false), !events.empty());
  return events;
}

}  // namespace warmpool
