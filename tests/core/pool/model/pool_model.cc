#include "tests/core/pool/model/pool_model.h"

#include <numeric>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/pool/model/assert_steps.h"
#include "tests/core/pool/model/attach_steps.h"
#include "tests/core/pool/model/handover_steps.h"
#include "tests/core/pool/model/lease_steps.h"
#include "tests/core/pool/model/pool_check.h"
#include "tests/core/pool/model/surrounding_steps.h"

namespace warmpool {
namespace {

struct WeightedStep {
  int weight = 0;
  void (*take)(ModelRun&) = nullptr;
};

void Tick(ModelRun& run) { AdvanceAndTick(run); }

// Of the whole, in percent.
constexpr WeightedStep kSteps[] = {
    {22, LeaseOne},     {9, AttachOne},
    {3, RepeatOne},     {4, RenewOne},
    {16, ReleaseSome},  {2, EndUnused},
    {9, SealOne},       {7, MakeTicketForOne},
    {6, ClaimOne},      {4, AssertOne},
    {2, WaitForOne},    {1, RetryWoken},
    {1, CancelWait},    {6, Tick},
    {2, AddHolder},     {1, KillHolder},
    {2, OpenFile},      {2, CloseFile},
    {1, TamperWithOne},
};
static_assert(std::accumulate(std::begin(kSteps), std::end(kSteps), 0,
                              [](int sum, const WeightedStep& step) {
                                return sum + step.weight;
                              }) == 100);

}  // namespace

PoolModel::PoolModel(uint64_t seed) : run_(seed) {
  for (int i = 0; i < 3; ++i) AddHolder(run_);
}

void PoolModel::Step() {
  if (run_.world.Chance(20)) run_.world.InjectFaults();
  int choice = static_cast<int>(run_.world.Random(100));
  for (const WeightedStep& step : kSteps) {
    choice -= step.weight;
    if (choice >= 0) continue;
    step.take(run_);
    break;
  }
  run_.world.calls.StopFailing();
}

void PoolModel::Check() { ExpectAgreement(run_); }

void PoolModel::Drain() {
  run_.world.pool->Drain();
  run_.waits.WakeAll();
  Check();
  if (run_.expected.holders().empty()) return;
  const HolderId holder = run_.expected.holders().begin()->first;
  LeaseRequest request;
  request.request_id = run_.world.ids.Next();
  request.bytes = 4096;
  const absl::Status refused = run_.world.pool->Lease(holder, request).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable));
  run_.RecordRefused(holder, request.request_id, refused);
}

void PoolModel::RevokeAll() {
  const std::map<LeaseId, ExpectedLease> leases = run_.expected.leases();
  EXPECT_EQ(run_.world.pool->RevokeAll(), leases.size());
  for (const auto& [id, lease] : leases) {
    if (run_.expected.leases().contains(id)) {
      run_.expected.End(id, EndCause::kRevoked);
    }
  }
  Check();
}

void PoolModel::EndHolders() {
  while (!run_.expected.holders().empty()) {
    KillHolder(run_);
    Check();
  }
  // Tickets and sealed buffers outlive their makers for as long as they may; no
  // longer pause in expiry is made.
  AdvanceAndTick(run_, run_.world.options.max_ttl + absl::Seconds(3),
                 absl::InfiniteFuture());
  Check();
}

void PoolModel::ExpectWholeQuota() {
  Pool& pool = *run_.world.pool;
  const size_t most = run_.world.options.quota.max_leases;
  if (most > 100) return;
  for (const uid_t uid : {0, 1000, 1001}) {
    const HolderId holder = run_.next_holder++;
    pool.AddHolder({holder, 1, uid, "client"});
    LeaseRequest request;
    request.bytes = 4096;
    for (size_t i = 0; i < most; ++i) {
      request.request_id = run_.world.ids.Next();
      EXPECT_THAT(pool.Lease(holder, request), IsOk()) << i << " of " << most;
    }
    request.request_id = run_.world.ids.Next();
    EXPECT_THAT(pool.Lease(holder, request),
                StatusIs(absl::StatusCode::kResourceExhausted));
    pool.RemoveHolder(holder);
  }
}

void PoolModel::End() {
  PoolWorld& world = run_.world;
  while (world.files.count() > 0) CloseFile(run_);
  const bool drains = world.Chance(50);
  if (drains) Drain();
  if (drains && world.Chance(50)) RevokeAll();
  EndHolders();
  EXPECT_TRUE(run_.expected.leases().empty());
  // The longest pause between two probes.
  world.clock.Advance(absl::Seconds(1));
  world.pool->Tick();
  EXPECT_EQ(world.pool->stats().segments.quarantined_segments, 0u);
  if (!drains) ExpectWholeQuota();
  world.pool->Drain();
  EXPECT_EQ(world.pool->stats().segments.ledger.used(),
            world.options.segments.overhead_bytes);
  EXPECT_EQ(world.calls.live(), FaultySystemCalls::Live());
  EXPECT_EQ(CountSegmentFiles(world.directory->path()), 0u);
}

void PoolModel::CountWhatHappened(
    std::map<std::string, uint64_t>* happened) const {
  const Pool::Stats stats = run_.world.pool->stats();
  (*happened)["attached"] += stats.granted_attached;
  (*happened)["repeated"] += stats.replayed;
  (*happened)["asserted"] += stats.asserted;
  (*happened)["renewed"] += stats.renewed;
  (*happened)["sealed"] += stats.sealed;
  (*happened)["tickets"] += stats.tickets;
  (*happened)["claimed"] += stats.claimed;
  (*happened)["unclaimed"] += stats.unclaimed;
  (*happened)["lingered"] += stats.lingered;
  (*happened)["linger ended"] += stats.linger_ended;
  (*happened)["released"] += stats.released;
  (*happened)["expired"] += stats.expired;
  (*happened)["revoked"] += stats.revoked;
  (*happened)["holder died"] += stats.holder_died;
  (*happened)["unused"] += stats.unused;
  (*happened)["exhausted"] += stats.refused_exhausted;
  using State = ExpectedWaits::Wait::State;
  for (const auto& wait : run_.waits.waits()) {
    (*happened)["woken"] += wait->state == State::kWoken;
    (*happened)["cancelled"] += wait->state == State::kCancelled;
  }
}

}  // namespace warmpool
