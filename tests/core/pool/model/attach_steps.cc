#include "tests/core/pool/model/attach_steps.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/model/client_files.h"
#include "tests/core/pool/model/expected_answers.h"

namespace warmpool {
namespace {

using absl::StatusCode;
using BufferKey = ExpectedPool::BufferKey;
using Wait = ExpectedWaits::Wait;

uid_t OwnerOf(const ModelRun& run, HolderId id, const AttachRequest& request) {
  const auto holder = run.expected.holders().find(id);
  const uid_t own =
      holder == run.expected.holders().end() ? uid_t{0} : holder->second.uid;
  return request.owner.value_or(own);
}

// Of a buffer that is there, in half of the cases.
AttachRequest RandomAttachRequest(ModelRun& run, HolderId id) {
  PoolWorld& world = run.world;
  AttachRequest request;
  request.request_id = run.RandomRequestId(id);
  request.name = run.RandomName();
  request.access =
      world.Chance(50) ? Access::kReadOnly : Access::kSharedWritable;
  if (world.Chance(10)) request.owner = run.RandomUid();
  const std::optional<BufferKey> key = run.RandomBuffer();
  if (key.has_value() && world.Chance(50)) {
    request.name = key->second;
    if (world.Chance(75)) {
      request.access = run.expected.buffers().at(*key).sealed
                           ? Access::kReadOnly
                           : Access::kSharedWritable;
    }
    if (OwnerOf(run, id, request) != key->first && world.Chance(70)) {
      request.owner = key->first;
    }
  }
  request.ttl = world.RandomTtl();
  // As in RandomLeaseRequest.
  if (ExpectedPool::InChannel({0, request.name})) request.ttl = std::nullopt;
  return request;
}

// A holder with two leases on one buffer of a channel would be told, or not, of
// the one that goes with the other.
bool IsSecondInChannel(const ModelRun& run, HolderId id,
                       const AttachRequest& request) {
  const BufferKey key(OwnerOf(run, id, request), request.name);
  return ExpectedPool::InChannel(key) && run.expected.HasLeaseOn(id, key);
}

void ExpectAttached(ModelRun& run, HolderId id, const AttachRequest& request,
                    const LeaseGrant& grant) {
  const BufferKey key(OwnerOf(run, id, request), request.name);
  const ExpectedPool::Buffer& buffer = run.expected.buffers().at(key);
  EXPECT_EQ(grant.path, buffer.path);
  EXPECT_EQ(grant.buffer_name, request.name);
  EXPECT_EQ(grant.generation, buffer.generation);
  EXPECT_EQ(grant.bytes, buffer.bytes);
  EXPECT_EQ(grant.segment_bytes, buffer.segment_bytes);
  EXPECT_EQ(grant.sealed, buffer.sealed);
  EXPECT_EQ(grant.access, request.access);
  EXPECT_FALSE(grant.zeroed);
  EXPECT_EQ(grant.ttl, ExpectedPool::InChannel(key)
                           ? absl::ZeroDuration()
                           : run.world.GrantedTtl(request.ttl));
  run.expected.Attach(grant.id,
                      run.expected.Held(id, key, request.access, grant.ttl));
  run.RecordAnswered(id, request, grant.id);
}

void ExpectAnswer(ModelRun& run, HolderId id, const AttachRequest& request,
                  StatusCode code, const absl::StatusOr<LeaseGrant>& grant) {
  if (!grant.ok()) run.RecordRefused(id, request.request_id, grant.status());
  if (code != StatusCode::kOk) {
    EXPECT_THAT(grant, StatusIs(code));
    return;
  }
  run.expected.RecordShown(id, {OwnerOf(run, id, request), request.name});
  const uid_t payer = run.expected.holders().at(id).uid;
  if (run.LacksQuota(payer)) {
    EXPECT_THAT(grant, StatusIs(StatusCode::kResourceExhausted));
    return;
  }
  if (!grant.ok() && run.MayLackQuota(payer)) {
    EXPECT_THAT(grant, StatusIs(StatusCode::kResourceExhausted));
    return;
  }
  ASSERT_THAT(grant, IsOk());
  ExpectAttached(run, id, request, *grant);
}

// Waits until then, if it must. False: it was answered.
bool AttachOrWait(ModelRun& run, HolderId id, const AttachRequest& request,
                  absl::Time until) {
  const StatusCode code = CodeOfAttach(run.expected, id, request);
  std::unique_ptr<Wait> wait =
      run.waits.Make(id, request, OwnerOf(run, id, request), until);
  AttachWait for_pool = run.waits.ForPool(wait.get());
  const std::optional<absl::StatusOr<LeaseGrant>> grant =
      run.world.pool->AttachOrWait(id, request, &for_pool);
  const bool will_come =
      code == StatusCode::kNotFound || code == StatusCode::kDeadlineExceeded;
  EXPECT_EQ(!grant.has_value(), will_come && until > run.world.clock.Now());
  if (grant.has_value()) {
    ExpectAnswer(run, id, request, code, *grant);
    return false;
  }
  run.waits.Add(std::move(wait));
  return true;
}

std::vector<Wait*> WaitsIn(const ModelRun& run, Wait::State state) {
  std::vector<Wait*> waits;
  for (const auto& wait : run.waits.waits()) {
    if (wait->state == state) waits.push_back(wait.get());
  }
  return waits;
}

}  // namespace

void AttachOne(ModelRun& run) {
  const HolderId id = run.RandomHolder();
  const AttachRequest request = RandomAttachRequest(run, id);
  if (IsSecondInChannel(run, id, request)) return;
  const StatusCode code = CodeOfAttach(run.expected, id, request);
  ExpectAnswer(run, id, request, code, run.world.pool->Attach(id, request));
}

void WaitForOne(ModelRun& run) {
  PoolWorld& world = run.world;
  const HolderId id = run.RandomHolder();
  AttachRequest request = RandomAttachRequest(run, id);
  // More than the pool wakes at a time.
  const uint64_t crowd = world.Chance(10) ? 1 + world.Random(100) : 1;
  if (IsSecondInChannel(run, id, request)) return;
  for (uint64_t i = 0; i < crowd; ++i) {
    absl::Time until = world.clock.Now() + world.RandomPause();
    // At times it is over already.
    if (world.Chance(5)) until -= absl::Seconds(10);
    if (!AttachOrWait(run, id, request, until)) return;
    request.request_id = world.ids.Next();
  }
}

void RetryWoken(ModelRun& run) {
  std::vector<Wait*> woken = WaitsIn(run, Wait::State::kWoken);
  if (woken.empty()) return;
  Wait& wait = **run.world.RandomIn(woken);
  AttachRequest request = wait.request;
  // Its id may have been answered since.
  if (wait.retried) request.request_id = run.world.ids.Next();
  wait.retried = true;
  if (IsSecondInChannel(run, wait.holder, request)) return;
  (void)AttachOrWait(run, wait.holder, request,
                     run.world.clock.Now() + run.world.RandomPause());
}

void CancelWait(ModelRun& run) {
  if (run.waits.waits().empty()) return;
  std::vector<Wait*> waiting = WaitsIn(run, Wait::State::kWaiting);
  Wait* const wait = waiting.empty() || run.world.Chance(20)
                         ? run.world.RandomIn(run.waits.waits())->get()
                         : *run.world.RandomIn(waiting);
  const bool waits = wait->state == Wait::State::kWaiting;
  EXPECT_EQ(run.world.pool->CancelWait(wait), waits);
  if (waits) wait->state = Wait::State::kCancelled;
}

}  // namespace warmpool
