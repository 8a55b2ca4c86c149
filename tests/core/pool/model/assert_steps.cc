#include "tests/core/pool/model/assert_steps.h"

#include <optional>
#include <string>

#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/model/client_files.h"
#include "tests/core/pool/model/expected_answers.h"

namespace warmpool {
namespace {

using absl::StatusCode;
using Buffer = ExpectedPool::Buffer;
using BufferKey = ExpectedPool::BufferKey;

AssertedLease AssertionOf(const LeaseId& id, const BufferKey& key,
                          const Buffer& buffer) {
  AssertedLease asserted;
  asserted.id = id;
  asserted.generation = buffer.generation;
  asserted.buffer_name = key.second;
  asserted.file_name = FileNameOf(buffer.path);
  asserted.bytes = buffer.bytes;
  asserted.sealed = buffer.sealed;
  return asserted;
}

// One that is live, or a further one on a live buffer, or an invented one.
AssertedLease RandomAssertion(ModelRun& run) {
  PoolWorld& world = run.world;
  AssertedLease asserted;
  asserted.id = run.RandomLease();
  asserted.buffer_name = run.RandomName();
  asserted.generation = world.Random(100);
  asserted.bytes = 1 + world.Random(PoolWorld::kMaxBytes);
  const auto lease = run.expected.leases().find(asserted.id);
  const std::optional<BufferKey> key = run.RandomBuffer();
  if (lease != run.expected.leases().end()) {
    asserted = AssertionOf(asserted.id, lease->second.buffer,
                           run.expected.BufferOf(asserted.id));
  }
  if (key.has_value() && world.Chance(60)) {
    asserted = AssertionOf(world.Chance(90) ? world.ids.Next() : asserted.id,
                           *key, run.expected.buffers().at(*key));
  }
  asserted.request_id = world.ids.Next();
  if (world.Chance(5)) ++asserted.generation;
  if (world.Chance(5)) asserted.file_name = "another.seg";
  if (world.Chance(5)) asserted.sealed = !asserted.sealed;
  asserted.access = asserted.sealed && world.Chance(95)
                        ? Access::kReadOnly
                        : Access::kSharedWritable;
  // As in RandomLeaseRequest.
  asserted.ttl = ExpectedPool::InChannel({0, asserted.buffer_name})
                     ? absl::ZeroDuration()
                     : world.RandomTtl().value_or(absl::Seconds(3));
  return asserted;
}

void ExpectAsserted(ModelRun& run, HolderId holder,
                    const AssertedLease& asserted,
                    const absl::StatusOr<absl::Duration>& ttl) {
  ASSERT_THAT(ttl, IsOk());
  EXPECT_EQ(*ttl, run.world.GrantedTtl(asserted.ttl));
  ExpectedPool& expected = run.expected;
  if (expected.leases().contains(asserted.id)) {
    expected.Renew(asserted.id, *ttl);
    return;
  }
  const BufferKey key(expected.holders().at(holder).uid, asserted.buffer_name);
  expected.Assert(asserted.id,
                  expected.Held(holder, key, asserted.access, *ttl));
  // Its request may be repeated.
  AttachRequest request;
  request.request_id = asserted.request_id;
  request.name = asserted.buffer_name;
  run.RecordAnswered(holder, request, asserted.id);
}

}  // namespace

void AssertOne(ModelRun& run) {
  const AssertedLease asserted = RandomAssertion(run);
  const HolderId holder = run.world.Chance(50)
                              ? run.RandomHolderFor(asserted.id)
                              : run.RandomHolder();
  const StatusCode code = CodeOfAssertion(run.expected, holder, asserted);
  const bool is_further =
      code == StatusCode::kOk && !run.expected.leases().contains(asserted.id);
  bool lacks_quota = false;
  bool may_lack_quota = false;
  if (is_further) {
    const uid_t uid = run.expected.holders().at(holder).uid;
    // As in IsSecondInChannel.
    const BufferKey key(uid, asserted.buffer_name);
    if (ExpectedPool::InChannel(key) && run.expected.HasLeaseOn(holder, key)) {
      return;
    }
    lacks_quota = run.LacksQuota(uid);
    may_lack_quota = run.MayLackQuota(uid);
  }
  const absl::StatusOr<absl::Duration> ttl =
      run.world.pool->Assert(holder, asserted);
  if (code != StatusCode::kOk) {
    EXPECT_THAT(ttl, StatusIs(code));
    return;
  }
  if (lacks_quota || (may_lack_quota && !ttl.ok())) {
    EXPECT_THAT(ttl, StatusIs(StatusCode::kResourceExhausted));
    return;
  }
  ExpectAsserted(run, holder, asserted, ttl);
}

}  // namespace warmpool
