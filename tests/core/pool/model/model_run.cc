#include "tests/core/pool/model/model_run.h"

namespace warmpool {

LeaseId ModelRun::RandomLease() {
  if (!expected.ended().empty() && world.Chance(15)) {
    return world.RandomIn(expected.ended())->first;
  }
  if (expected.leases().empty() || world.Chance(5)) return world.ids.Next();
  return world.RandomIn(expected.leases())->first;
}

HolderId ModelRun::RandomHolder() {
  if (expected.holders().empty() || world.Chance(3)) {
    return world.Random(next_holder + 2);
  }
  return world.RandomIn(expected.holders())->first;
}

HolderId ModelRun::RandomHolderFor(const LeaseId& id) {
  const auto lease = expected.leases().find(id);
  if (lease == expected.leases().end() || world.Chance(10) ||
      lease->second.holder == ExpectedPool::kNoHolder) {
    return RandomHolder();
  }
  return lease->second.holder;
}

RequestId ModelRun::RandomRequestId(HolderId holder) {
  const auto refused = unanswered.find(holder);
  if (refused == unanswered.end() || world.Chance(50)) return world.ids.Next();
  const RequestId id = refused->second;
  unanswered.erase(refused);
  return id;
}

void ModelRun::RecordRefused(HolderId holder, const RequestId& request_id,
                             const absl::Status& status) {
  refused.push_back(status);
  unanswered[holder] = request_id;
}

std::optional<ExpectedPool::BufferKey> ModelRun::RandomBuffer() {
  if (expected.buffers().empty()) return std::nullopt;
  return world.RandomIn(expected.buffers())->first;
}

bool ModelRun::LacksQuota(uid_t uid) const {
  return expected.LeasesPaidBy(uid) >= world.options.quota.max_leases;
}

bool ModelRun::MayLackQuota(uid_t uid) const {
  const SegmentPool::Stats segments = world.pool->stats().segments;
  return expected.LeasesPaidBy(uid) + segments.retained_segments +
             segments.quarantined_segments >=
         world.options.quota.max_leases;
}

}  // namespace warmpool
