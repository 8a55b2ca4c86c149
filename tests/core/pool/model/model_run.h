// ModelRun: a pool, beside what is expected of it. The steps of a model's run
// change both alike.
#ifndef WARMPOOL_TESTS_CORE_POOL_MODEL_MODEL_RUN_H_
#define WARMPOOL_TESTS_CORE_POOL_MODEL_MODEL_RUN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "core/lease/lease.h"
#include "tests/core/pool/model/expected_pool.h"
#include "tests/core/pool/model/expected_waits.h"
#include "tests/core/pool/model/pool_world.h"

namespace warmpool {

struct ModelRun {
  // A request that was answered with a lease.
  struct Answered {
    HolderId holder = 0;
    std::variant<LeaseRequest, AttachRequest, ClaimRequest> request;
    LeaseId lease;
  };

  // Built in place: g++ 12 warns of a variant that is moved.
  template <typename Request>
  void RecordAnswered(HolderId holder, const Request& request,
                      const LeaseId& lease) {
    Answered& made = answered.emplace_back();
    made.holder = holder;
    made.request.template emplace<Request>(request);
    made.lease = lease;
  }

  explicit ModelRun(uint64_t seed)
      : world(seed),
        expected(&world.clock),
        // Hangs if it is called under the pool's lock.
        waits([this] { (void)world.pool->HasLeases(0); }) {}

  // Live ones mostly, at times ended or never granted.
  LeaseId RandomLease();
  // At times one that is not there, or not any more.
  HolderId RandomHolder();
  // The one that has the lease mostly.
  HolderId RandomHolderFor(const LeaseId& id);
  std::string RandomName() { return "n" + std::to_string(world.Random(6)); }
  uid_t RandomUid() { return world.Chance(30) ? 0 : 1000 + world.Random(2); }
  // Rarely a wrong one.
  uint64_t RandomGeneration() {
    return world.Chance(5) ? world.Random(100) : 0;
  }
  // At times that of a request of the holder that was refused, or waits.
  RequestId RandomRequestId(HolderId holder);
  // A request for a lease was not granted, so that its id is good for another.
  void RecordRefused(HolderId holder, const RequestId& request_id,
                     const absl::Status& status);
  // nullopt: there is none.
  std::optional<ExpectedPool::BufferKey> RandomBuffer();

  // Whether the uid has as many leases as it may. Segments that were released
  // may count until they are proven: with them it may have as many.
  bool LacksQuota(uid_t uid) const;
  bool MayLackQuota(uid_t uid) const;

  PoolWorld world;
  ExpectedPool expected;
  ExpectedWaits waits;
  HolderId next_holder = 1;
  std::vector<Answered> answered;
  // What requests for leases were refused with.
  std::vector<absl::Status> refused;
  std::map<HolderId, RequestId> unanswered;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CORE_POOL_MODEL_MODEL_RUN_H_
