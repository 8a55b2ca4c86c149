#include "tests/core/pool/model/pool_check.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "tests/core/pool/model/client_files.h"

namespace warmpool {
namespace {

using BufferKey = ExpectedPool::BufferKey;

UnheldCount CountOfKind(const ExpectedPool& expected, LeaseKind kind) {
  UnheldCount count;
  for (const auto& [id, lease] : expected.leases()) {
    if (lease.kind != kind) continue;
    ++count.leases;
    count.bytes += expected.BufferOf(id).segment_bytes;
  }
  return count;
}

void CheckLiveCounts(const ModelRun& run, const Pool::Stats& stats) {
  const ExpectedPool& expected = run.expected;
  EXPECT_EQ(stats.live_leases, expected.leases().size());
  EXPECT_EQ(stats.live_buffers, expected.buffers().size());
  EXPECT_EQ(stats.holders, expected.holders().size());
  EXPECT_EQ(stats.waiting, run.waits.CountWaiting());
  EXPECT_EQ(stats.live_tickets, CountOfKind(expected, LeaseKind::kTicket));
  EXPECT_EQ(stats.live_lingering, CountOfKind(expected, LeaseKind::kLingering));
  EXPECT_EQ(stats.recovering_leases,
            size_t(std::count_if(
                expected.leases().begin(), expected.leases().end(),
                [](const auto& lease) { return lease.second.recovering; })));
}

void CheckPastCounts(const ModelRun& run, const Pool::Stats& stats) {
  ExpectedPool::Counts counts = run.expected.counts();
  EXPECT_EQ(stats.released, counts.ended[EndCause::kReleased]);
  EXPECT_EQ(stats.expired, counts.ended[EndCause::kExpired]);
  EXPECT_EQ(stats.unclaimed, counts.ended[EndCause::kUnclaimed]);
  EXPECT_EQ(stats.linger_ended, counts.ended[EndCause::kLingered]);
  EXPECT_EQ(stats.revoked, counts.ended[EndCause::kRevoked]);
  EXPECT_EQ(stats.holder_died, counts.ended[EndCause::kHolderDied]);
  EXPECT_EQ(stats.unused, counts.ended[EndCause::kUnused]);
  EXPECT_EQ(stats.handed_over, counts.ended[EndCause::kHandedOver]);
  EXPECT_EQ(stats.granted_attached, counts.attached);
  EXPECT_EQ(stats.asserted, counts.asserted);
  EXPECT_EQ(stats.sealed, counts.sealed);
  EXPECT_EQ(stats.tickets, counts.tickets);
  EXPECT_EQ(stats.claimed, counts.claimed);
  EXPECT_EQ(stats.lingered, counts.lingered);
  EXPECT_EQ(stats.refused_invalid + stats.refused_exhausted +
                stats.refused_name_taken + stats.refused_draining +
                stats.refused_other,
            run.refused.size());
  EXPECT_EQ(run.world.refused, run.refused);
}

// Every byte is accounted for, and every file is a segment that somebody
// answers for.
void CheckMemory(const ModelRun& run, const SegmentPool::Stats& segments) {
  const PoolWorld& world = run.world;
  EXPECT_EQ(segments.ledger.in(ByteState::kLeased), run.expected.LeasedBytes());
  EXPECT_LE(segments.ledger.used(), PoolWorld::kCapacity);
  EXPECT_EQ(segments.ledger.used() + segments.ledger.free(),
            PoolWorld::kCapacity);
  const size_t known =
      run.expected.buffers().size() + segments.retained_segments +
      segments.quarantined_segments + segments.batch.blocks_waiting;
  EXPECT_EQ(CountSegmentFiles(world.directory->path()), known);
  EXPECT_EQ(
      world.calls.live(),
      (FaultySystemCalls::Live{0, world.directory->open_segments(), known}));
  EXPECT_LE(world.directory->open_segments(),
            std::min(world.max_open_segments, known));
  if (!world.tampers) {
    EXPECT_EQ(AllocatedBytes(world.directory->path()),
              segments.ledger.used() - world.options.segments.overhead_bytes);
  }
}

absl::Duration TtlLeft(const ModelRun& run, const ExpectedLease& lease) {
  if (lease.expires_at == absl::InfiniteFuture()) return absl::ZeroDuration();
  return lease.expires_at - run.world.clock.Now();
}

void CheckListedLease(const ModelRun& run, const BufferListing::Lease& listed) {
  const auto it = run.expected.leases().find(listed.id);
  ASSERT_NE(it, run.expected.leases().end()) << listed.id.ToHex();
  const ExpectedLease& lease = it->second;
  EXPECT_EQ(listed.kind, lease.kind);
  EXPECT_EQ(listed.access, lease.access);
  EXPECT_EQ(listed.state == LeaseState::kRecovering, lease.recovering);
  // Of a lease that is overdue: zero is for one that never expires.
  const bool expires = lease.expires_at != absl::InfiniteFuture();
  EXPECT_EQ(listed.ttl_left,
            expires ? std::max(TtlLeft(run, lease), absl::Nanoseconds(1))
                    : absl::ZeroDuration());
  if (lease.kind == LeaseKind::kHeld) {
    EXPECT_EQ(listed.holder.id, lease.holder);
  } else {
    EXPECT_NE(listed.maker, nullptr);
  }
}

void CheckListed(const ModelRun& run, const BufferListing& listed) {
  const auto it = run.expected.buffers().find({listed.uid, listed.name});
  ASSERT_NE(it, run.expected.buffers().end()) << listed.name;
  const ExpectedBuffer& buffer = it->second;
  EXPECT_EQ(listed.file_name, FileNameOf(buffer.path));
  EXPECT_EQ(listed.bytes, buffer.bytes);
  EXPECT_EQ(listed.segment_bytes, buffer.segment_bytes);
  EXPECT_EQ(listed.generation, buffer.generation);
  EXPECT_EQ(listed.sealed, buffer.sealed);
  EXPECT_EQ(listed.total_leases, buffer.leases.size());
  EXPECT_EQ(listed.leases.size(), buffer.leases.size());
  EXPECT_TRUE(buffer.lingering.empty()) << "it does not linger";
  for (const BufferListing::Lease& lease : listed.leases) {
    EXPECT_TRUE(buffer.leases.contains(lease.id)) << lease.id.ToHex();
    CheckListedLease(run, lease);
  }
  if (buffer.tampered) return;
  ExpectMark(buffer.path, buffer.mark);
  if (buffer.sealed) {
    EXPECT_FALSE(HasWritableMode(buffer.path));
  }
}

void CheckUsages(const ModelRun& run) {
  using Usage = std::pair<size_t, uint64_t>;
  std::map<HolderId, Usage> expected;
  for (const auto& [id, lease] : run.expected.leases()) {
    if (lease.kind != LeaseKind::kHeld) continue;
    Usage& usage = expected[lease.holder];
    ++usage.first;
    usage.second += run.expected.BufferOf(id).segment_bytes;
  }
  std::map<HolderId, Usage> usages;
  for (const HolderUsage& usage : run.world.pool->HolderUsages()) {
    usages[usage.holder.id] = {usage.leases, usage.bytes};
  }
  EXPECT_EQ(usages, expected);
}

void CheckUnheld(const ModelRun& run) {
  using Unheld = std::tuple<uid_t, std::string, bool, uint64_t, absl::Duration>;
  std::vector<Unheld> expected;
  for (const auto& [id, lease] : run.expected.leases()) {
    if (lease.kind == LeaseKind::kHeld) continue;
    expected.emplace_back(lease.buffer.first, lease.buffer.second,
                          lease.kind == LeaseKind::kTicket,
                          run.expected.BufferOf(id).segment_bytes,
                          std::max(TtlLeft(run, lease), absl::ZeroDuration()));
  }
  std::vector<Unheld> unheld;
  for (const UnheldLease& lease :
       run.world.pool->UnheldLeases(std::nullopt, SIZE_MAX)) {
    unheld.emplace_back(lease.uid, lease.buffer_name, lease.is_ticket,
                        lease.bytes, lease.ttl_left);
  }
  EXPECT_THAT(unheld, testing::UnorderedElementsAreArray(expected));
}

void CheckTold(const ModelRun& run) {
  std::map<LeaseId, ToldEnd> told;
  for (const RevokedLease& lease : run.world.revoked) {
    EXPECT_TRUE(told.emplace(lease.id, ToldEnd{lease.holder, lease.buffer_name,
                                               lease.cause})
                    .second)
        << "lease " << lease.id.ToHex() << " was told of twice";
  }
  EXPECT_EQ(told, run.expected.told());
}

void CheckEvents(ModelRun& run) {
  ExpectedPool::Events events;
  for (const BufferEvents::Event& event : run.world.TakeEvents()) {
    events[{event.uid, event.name}].push_back(
        {event.kind, event.generation, event.bytes});
  }
  EXPECT_EQ(events, run.expected.TakeEvents());
}

// Whoever ticks the pool was told to come in time.
void CheckDueTime(const ModelRun& run) {
  if (run.world.is_due_earlier) return;
  EXPECT_LE(run.world.next_tick, run.expected.NextExpiry());
  EXPECT_LE(run.world.next_tick, run.waits.NextDue());
}

void LearnLingering(ModelRun& run, const std::vector<BufferListing>& listing) {
  for (const BufferListing& buffer : listing) {
    for (const BufferListing::Lease& lease : buffer.leases) {
      if (lease.kind != LeaseKind::kLingering ||
          run.expected.leases().contains(lease.id)) {
        continue;
      }
      EXPECT_TRUE(
          run.expected.LearnLingering(lease.id, {buffer.uid, buffer.name},
                                      run.world.clock.Now() + lease.ttl_left))
          << "buffer \"" << buffer.name << "\" lingers for " << lease.ttl_left;
    }
  }
}

}  // namespace

void ExpectAgreement(ModelRun& run) {
  run.world.RunLater();
  const Pool& pool = *run.world.pool;
  pool.CheckInvariants();
  const std::vector<BufferListing> listing = pool.ListAll();
  LearnLingering(run, listing);
  EXPECT_EQ(listing.size(), run.expected.buffers().size());
  for (const BufferListing& listed : listing) CheckListed(run, listed);
  const Pool::Stats stats = pool.stats();
  CheckLiveCounts(run, stats);
  CheckPastCounts(run, stats);
  CheckMemory(run, stats.segments);
  CheckUsages(run);
  CheckUnheld(run);
  CheckTold(run);
  CheckEvents(run);
  CheckDueTime(run);
  run.waits.Check();
}

}  // namespace warmpool
