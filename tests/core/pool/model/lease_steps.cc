#include "tests/core/pool/model/lease_steps.h"

#include <sys/stat.h>

#include <set>
#include <string>
#include <vector>

#include "core/base/channel_name.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/model/client_files.h"
#include "tests/core/pool/model/expected_answers.h"

namespace warmpool {
namespace {

using absl::StatusCode;

LeaseRequest RandomLeaseRequest(ModelRun& run, HolderId holder) {
  PoolWorld& world = run.world;
  LeaseRequest request;
  request.request_id = run.RandomRequestId(holder);
  request.bytes =
      world.Chance(3) ? 0
      : world.Chance(3)
          ? PoolWorld::kMaxBytes + 1 + world.Random(kGiB)
          : 1 + world.Random(world.Chance(65) ? 64 * kKiB
                                              : PoolWorld::kMaxBytes);
  if (world.Chance(50)) request.name = run.RandomName();
  request.ttl = world.RandomTtl();
  request.require_zeroed = world.Chance(15);
  request.if_ready = world.Chance(5);
  if (world.Chance(12)) {
    if (world.Chance(95)) request.name = std::nullopt;
    request.channel = "c" + std::to_string(world.Random(2));
    // Two members whose time is up at once would end each other's leases, in
    // whichever order.
    request.ttl = world.Chance(50) ? RequestedTtl() : absl::ZeroDuration();
  }
  return request;
}

void ExpectNamed(const LeaseRequest& request, const LeaseGrant& grant) {
  EXPECT_EQ(ChannelOf(grant.buffer_name), request.channel.value_or(""));
  if (request.name.has_value()) {
    EXPECT_EQ(grant.buffer_name, *request.name);
  }
}

// What a lease on a new buffer must be.
void ExpectGranted(ModelRun& run, HolderId holder, const LeaseRequest& request,
                   const LeaseGrant& grant) {
  ExpectedPool& expected = run.expected;
  EXPECT_EQ(grant.bytes, request.bytes);
  EXPECT_GE(grant.segment_bytes, request.bytes);
  ExpectNamed(request, grant);
  if (request.require_zeroed) {
    EXPECT_TRUE(grant.zeroed);
  }
  EXPECT_EQ(grant.access, Access::kSharedWritable);
  EXPECT_FALSE(grant.sealed);
  EXPECT_EQ(grant.ttl, request.channel.has_value()
                           ? absl::ZeroDuration()
                           : run.world.GrantedTtl(request.ttl));
  struct stat granted;
  ASSERT_EQ(stat(grant.path.c_str(), &granted), 0) << grant.path;
  EXPECT_FALSE(run.world.files.HasOpen(grant.path))
      << "granted while somebody had it open";
  EXPECT_FALSE(expected.stale_paths().contains(grant.path))
      << "granted by a path that somebody has who was not heard of";
  for (const auto& [key, buffer] : expected.buffers()) {
    EXPECT_NE(buffer.path, grant.path) << "granted twice";
  }
  EXPECT_GT(grant.generation, expected.last_generation());
  ExpectWhole(grant.path, grant.segment_bytes);
  if (grant.zeroed) ExpectAllZero(grant.path, grant.segment_bytes);
  WriteMark(grant.path, grant.generation);

  const uid_t uid = expected.holders().at(holder).uid;
  const ExpectedPool::BufferKey key(uid, grant.buffer_name);
  ASSERT_FALSE(expected.buffers().contains(key));
  expected.AddBuffer(
      key,
      {.path = grant.path,
       .bytes = grant.bytes,
       .segment_bytes = grant.segment_bytes,
       .generation = grant.generation,
       .mark = grant.generation},
      grant.id, expected.Held(holder, key, Access::kSharedWritable, grant.ttl));
  run.RecordAnswered(holder, request, grant.id);
  run.waits.WakeFor(grant.buffer_name, uid, /*sealed=*/false);
}

std::set<LeaseId> LiveLeases(const Pool& pool) {
  std::set<LeaseId> live;
  for (const BufferListing& buffer : pool.ListAll()) {
    for (const BufferListing::Lease& lease : buffer.leases) {
      live.insert(lease.id);
    }
  }
  return live;
}

}  // namespace

void LeaseOne(ModelRun& run) {
  PoolWorld& world = run.world;
  const HolderId id = run.RandomHolder();
  const LeaseRequest request = RandomLeaseRequest(run, id);
  const StatusCode code = CodeOfLease(run.expected, id, request);
  const uint64_t faults = world.calls.faults();
  const ByteLedger ledger = world.pool->stats().segments.ledger;
  const uint64_t taken = run.expected.LeasedBytes() +
                         ledger.in(ByteState::kOverhead) +
                         ledger.in(ByteState::kQuarantined);
  const bool may_lack_quota =
      code == StatusCode::kOk &&
      run.MayLackQuota(run.expected.holders().at(id).uid);

  const absl::StatusOr<LeaseGrant> grant = world.pool->Lease(id, request);
  const bool is_miss = request.if_ready && absl::IsNotFound(grant.status());
  if (!grant.ok() && !is_miss) {
    run.RecordRefused(id, request.request_id, grant.status());
  }
  if (code != StatusCode::kOk) {
    EXPECT_THAT(grant, StatusIs(code));
    return;
  }
  const SizeClasses classes(PoolWorld::kMaxBytes);
  const absl::StatusOr<SizeClass> size_class = classes.For(request.bytes);
  if (!size_class.ok()) {
    EXPECT_THAT(grant, StatusIs(StatusCode::kInvalidArgument));
    return;
  }
  if (run.LacksQuota(run.expected.holders().at(id).uid) ||
      taken + classes.Bytes(*size_class) > PoolWorld::kCapacity) {
    EXPECT_TRUE(is_miss || absl::IsResourceExhausted(grant.status()))
        << grant.status();
    return;
  }
  // There is room, unless the kernel failed, or somebody still has what was to
  // make room.
  if (world.calls.faults() == faults && world.files.count() == 0 &&
      !may_lack_quota && !is_miss) {
    ASSERT_THAT(grant, IsOk());
  }
  if (grant.ok()) ExpectGranted(run, id, request, *grant);
}

void RepeatOne(ModelRun& run) {
  if (run.answered.empty()) return;
  const ModelRun::Answered answered = *run.world.RandomIn(run.answered);
  Pool& pool = *run.world.pool;
  absl::StatusOr<LeaseGrant> again;
  if (const auto* lease = std::get_if<LeaseRequest>(&answered.request)) {
    again = pool.Lease(answered.holder, *lease);
  } else if (const auto* attach =
                 std::get_if<AttachRequest>(&answered.request)) {
    again = pool.Attach(answered.holder, *attach);
  } else {
    again =
        pool.Claim(answered.holder, std::get<ClaimRequest>(answered.request));
  }
  if (!again.ok()) run.refused.push_back(again.status());
  if (!run.expected.holders().contains(answered.holder)) {
    EXPECT_THAT(again, StatusIs(StatusCode::kUnavailable));
    return;
  }
  const auto lease = run.expected.leases().find(answered.lease);
  if (lease == run.expected.leases().end()) {
    EXPECT_THAT(again, StatusIs(StatusCode::kFailedPrecondition));
    return;
  }
  ASSERT_THAT(again, IsOk());
  const ExpectedPool::Buffer& buffer = run.expected.BufferOf(answered.lease);
  EXPECT_EQ(again->id, answered.lease);
  EXPECT_EQ(again->path, buffer.path);
  EXPECT_EQ(again->generation, buffer.generation);
  EXPECT_EQ(again->bytes, buffer.bytes);
  EXPECT_EQ(again->sealed, buffer.sealed);
  if (lease->second.recovering) {
    run.expected.Renew(answered.lease, lease->second.ttl);
  }
}

void RenewOne(ModelRun& run) {
  PoolWorld& world = run.world;
  const LeaseRef ref = {run.RandomLease(), run.RandomGeneration()};
  const HolderId holder = run.RandomHolderFor(ref.id);
  const auto lease = run.expected.leases().find(ref.id);
  const bool is_live = lease != run.expected.leases().end();
  const bool in_channel =
      is_live && ExpectedPool::InChannel(lease->second.buffer);
  // As in RandomLeaseRequest.
  const RequestedTtl ttl =
      in_channel ? absl::ZeroDuration() : world.RandomTtl();
  const uint64_t bytes =
      world.Chance(30) ? 1 + world.Random(PoolWorld::kMaxBytes) : 0;
  const StatusCode renewed =
      CodeOfRenewal(run.expected, holder, ref, /*bytes=*/0);
  const StatusCode code = CodeOfRenewal(run.expected, holder, ref, bytes);

  const absl::StatusOr<absl::Duration> granted =
      world.pool->Renew(holder, ref, ttl, bytes);
  ASSERT_THAT(granted, StatusIs(code));
  // A size that does not fit leaves the lease renewed all the same.
  if (renewed == StatusCode::kOk) {
    run.expected.Renew(ref.id, world.GrantedTtl(ttl));
  }
  if (code != StatusCode::kOk) return;
  EXPECT_EQ(*granted, world.GrantedTtl(ttl));
  if (bytes > 0 && MayResize(run.expected, ref.id)) {
    run.expected.buffers().at(lease->second.buffer).bytes = bytes;
  }
}

void ReleaseSome(ModelRun& run) {
  PoolWorld& world = run.world;
  ExpectedPool& expected = run.expected;
  std::vector<LeaseRef> refs;
  for (uint64_t i = 0; i <= (world.Chance(30) ? world.Random(6) : 0); ++i) {
    refs.push_back({.id = run.RandomLease(),
                    .generation = run.RandomGeneration(),
                    .for_all_members = world.Chance(15)});
  }
  const HolderId holder = run.RandomHolderFor(refs[0].id);
  const bool revoke = world.Chance(10);

  const std::vector<absl::Status> statuses =
      world.pool->Release(holder, refs, revoke);
  ASSERT_EQ(statuses.size(), refs.size());
  for (size_t i = 0; i < refs.size(); ++i) {
    const StatusCode code = CodeOfLeaseRef(expected, holder, refs[i], revoke);
    EXPECT_THAT(statuses[i], StatusIs(code)) << "item " << i;
    const auto lease = expected.leases().find(refs[i].id);
    if (code != StatusCode::kOk || lease == expected.leases().end()) continue;
    const bool own = lease->second.holder == holder;
    expected.End(refs[i].id, own ? EndCause::kReleased : EndCause::kRevoked,
                 /*for_all=*/!own || refs[i].for_all_members);
  }
}

void EndUnused(ModelRun& run) {
  PoolWorld& world = run.world;
  ExpectedPool& expected = run.expected;
  const HolderId holder = run.RandomHolder();
  const absl::Time since = world.clock.Now() - world.RandomPause();
  std::vector<LeaseId> unused;
  for (const auto& [id, lease] : expected.leases()) {
    if (lease.holder == holder && lease.touched_at < since &&
        !world.files.HasOpen(expected.BufferOf(id).path)) {
      unused.push_back(id);
    }
  }
  const uint64_t faults = world.calls.faults();
  const size_t before = expected.leases().size();
  const size_t count = world.pool->EndUnusedLeases(holder, since);
  // A proof that could not be made ends nothing.
  if (world.calls.faults() != faults) {
    const std::set<LeaseId> live = LiveLeases(*world.pool);
    std::erase_if(unused, [&](const LeaseId& id) { return live.contains(id); });
  }
  for (const LeaseId& id : unused) expected.End(id, EndCause::kUnused);
  EXPECT_EQ(count, before - expected.leases().size());
}

}  // namespace warmpool
