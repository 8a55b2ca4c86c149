#include "tests/core/pool/model/handover_steps.h"

#include <vector>

#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/model/client_files.h"
#include "tests/core/pool/model/expected_answers.h"

namespace warmpool {
namespace {

using absl::StatusCode;
using Buffer = ExpectedPool::Buffer;
using BufferKey = ExpectedPool::BufferKey;

// A live one that fits, if there is any.
template <typename Predicate>
LeaseId RandomLeaseWhere(ModelRun& run, Predicate fits) {
  std::vector<LeaseId> fitting;
  for (const auto& [id, lease] : run.expected.leases()) {
    if (fits(id, lease)) fitting.push_back(id);
  }
  return fitting.empty() ? run.RandomLease() : *run.world.RandomIn(fitting);
}

LeaseId RandomTicket(ModelRun& run) {
  return RandomLeaseWhere(run, [](const LeaseId&, const ExpectedLease& lease) {
    return lease.kind == LeaseKind::kTicket;
  });
}

// Mostly one whose buffer can be given to others.
LeaseId RandomLeaseToHandOver(ModelRun& run) {
  if (run.world.Chance(40)) return run.RandomLease();
  return RandomLeaseWhere(
      run, [&](const LeaseId& id, const ExpectedLease& lease) {
        return lease.kind == LeaseKind::kHeld && MayResize(run.expected, id);
      });
}

// A new size for the lease's buffer, or 0. Rarely one that does not fit.
uint64_t RandomNewBytes(ModelRun& run, const LeaseId& id) {
  if (!run.expected.leases().contains(id) || run.world.Chance(70)) return 0;
  const uint64_t most = run.expected.BufferOf(id).segment_bytes;
  return 1 + run.world.Random(most + most / 8);
}

SealRequest RandomSealRequest(ModelRun& run, const LeaseId& id) {
  PoolWorld& world = run.world;
  SealRequest request;
  request.linger =
      world.Chance(40) ? absl::ZeroDuration() : world.RandomPause();
  if (world.Chance(3)) request.linger = -request.linger - absl::Seconds(1);
  if (world.Chance(3)) request.linger += absl::Minutes(1);
  request.bytes = RandomNewBytes(run, id);
  if (world.Chance(30)) request.share_with.uids.push_back(run.RandomUid());
  if (world.Chance(20)) {
    request.share_with.gids.push_back(2000 + world.Random(2));
  }
  return request;
}

void ExpectClaimed(ModelRun& run, HolderId holder, const ClaimRequest& request,
                   const LeaseGrant& grant) {
  ExpectedPool& expected = run.expected;
  const BufferKey key = expected.leases().at(request.ticket).buffer;
  const Buffer& buffer = expected.buffers().at(key);
  EXPECT_EQ(grant.buffer_name, key.second);
  EXPECT_EQ(grant.bytes, buffer.bytes);
  EXPECT_EQ(grant.segment_bytes, buffer.segment_bytes);
  EXPECT_EQ(grant.access, Access::kSharedWritable);
  EXPECT_EQ(grant.ttl, run.world.GrantedTtl(request.ttl));
  EXPECT_FALSE(grant.sealed);
  EXPECT_FALSE(grant.zeroed);
  EXPECT_GT(grant.generation, expected.last_generation());
  EXPECT_FALSE(expected.stale_paths().contains(grant.path))
      << "claimed by a path that somebody has who was not heard of";
  EXPECT_FALSE(run.world.files.HasOpen(grant.path))
      << "claimed while somebody had it open";
  ExpectWhole(grant.path, grant.segment_bytes);
  EXPECT_TRUE(HasWritableMode(grant.path));
  ExpectMark(grant.path, buffer.mark);
  expected.Claim(request.ticket, holder, grant);
  run.RecordAnswered(holder, request, grant.id);
}

// A claim that failed may have given the buffer's file another name.
void LearnPath(ModelRun& run, const BufferKey& key) {
  Buffer& buffer = run.expected.buffers().at(key);
  if (!run.expected.stale_paths().contains(buffer.path)) return;
  for (const BufferListing& listed : run.world.pool->ListAll()) {
    if (BufferKey(listed.uid, listed.name) != key) continue;
    buffer.path = run.world.directory->path() + "/" + listed.file_name;
  }
}

}  // namespace

void SealOne(ModelRun& run) {
  PoolWorld& world = run.world;
  const LeaseRef ref = {RandomLeaseToHandOver(run), run.RandomGeneration()};
  const HolderId holder = run.RandomHolderFor(ref.id);
  const SealRequest request = RandomSealRequest(run, ref.id);
  const StatusCode code =
      CodeOfSeal(run.expected, holder, ref, request,
                 {.max_linger = world.options.max_ttl,
                  .may_share = SegmentDirectory::MayServeOtherUids()});
  const bool is_repetition =
      code == StatusCode::kOk && IsSealedAlready(run.expected, holder, ref);
  const uint64_t faults = world.calls.faults();
  const absl::Status sealed = world.pool->Seal(holder, ref, request);
  if (code != StatusCode::kOk || is_repetition) {
    EXPECT_THAT(sealed, StatusIs(code));
    return;
  }
  const BufferKey key = run.expected.leases().at(ref.id).buffer;
  Buffer& buffer = run.expected.buffers().at(key);
  const bool is_written = world.files.HasOpenForWriting(buffer.path);
  EXPECT_FALSE(is_written && sealed.ok()) << "sealed under a writer";
  if (!is_written && !buffer.tampered && world.calls.faults() == faults) {
    EXPECT_THAT(sealed, IsOk());
  }
  if (!sealed.ok()) {
    buffer.may_be_half_sealed |= world.calls.faults() != faults;
    return;
  }
  ExpectWhole(buffer.path, buffer.segment_bytes);
  run.expected.Seal(ref.id, request);
  run.waits.WakeFor(key.second, key.first, /*sealed=*/true);
}

void MakeTicketForOne(ModelRun& run) {
  PoolWorld& world = run.world;
  const LeaseRef ref = {RandomLeaseToHandOver(run), run.RandomGeneration()};
  const HolderId holder = run.RandomHolderFor(ref.id);
  const LeaseId ticket = world.Chance(85)   ? world.ids.Next()
                         : world.Chance(5)  ? LeaseId()
                         : world.Chance(50) ? RandomTicket(run)
                                            : run.RandomLease();
  RequestedTtl ttl;
  if (world.Chance(70)) ttl = world.RandomPause();
  if (world.Chance(5)) ttl = absl::Seconds(100) * (world.Chance(50) ? 1 : -1);
  const uint64_t bytes = RandomNewBytes(run, ref.id);
  // At times the same once more.
  LeaseRef made = ref;
  const auto live = run.expected.leases().find(ticket);
  if (live != run.expected.leases().end() && world.Chance(70)) {
    made.id = live->second.made_of;
  }
  const StatusCode code = CodeOfTicket(run.expected, holder, made, ticket, ttl,
                                       bytes, world.options.max_ttl);
  const absl::StatusOr<absl::Duration> granted =
      world.pool->MakeTicket(holder, made, ticket, ttl, bytes);
  ASSERT_THAT(granted, StatusIs(code));
  if (code != StatusCode::kOk) return;
  if (IsTicketOf(run.expected, ticket, made.id)) {
    EXPECT_EQ(*granted, live->second.ttl);
    return;
  }
  EXPECT_EQ(*granted,
            std::min(ttl.value_or(kDefaultTicketTtl), world.options.max_ttl));
  run.expected.MakeTicket(made.id, ticket, *granted, bytes);
}

void ClaimOne(ModelRun& run) {
  PoolWorld& world = run.world;
  const HolderId holder = run.RandomHolder();
  ClaimRequest request;
  request.request_id = run.RandomRequestId(holder);
  request.ttl = world.RandomTtl();
  request.ticket = world.Chance(85) ? RandomTicket(run) : run.RandomLease();
  const StatusCode code = CodeOfClaim(run.expected, holder, request.ticket);
  const uint64_t faults = world.calls.faults();
  const absl::StatusOr<LeaseGrant> grant = world.pool->Claim(holder, request);
  if (!grant.ok()) {
    run.RecordRefused(holder, request.request_id, grant.status());
  }
  if (code != StatusCode::kOk) {
    EXPECT_THAT(grant, StatusIs(code));
    return;
  }
  const BufferKey key = run.expected.leases().at(request.ticket).buffer;
  if (grant.ok()) {
    ExpectClaimed(run, holder, request, *grant);
    return;
  }
  EXPECT_THAT(grant, StatusIs(StatusCode::kFailedPrecondition));
  LearnPath(run, key);
  const Buffer& buffer = run.expected.buffers().at(key);
  EXPECT_TRUE(world.calls.faults() != faults || buffer.tampered ||
              buffer.may_be_half_sealed || world.files.HasOpen(buffer.path))
      << grant.status();
}

}  // namespace warmpool
