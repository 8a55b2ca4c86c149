#include "server/stats/shared_stats.h"

#include <memory>

#include "absl/status/status.h"
#include "core/memory/cgroup/memory_limit.h"
#include "gtest/gtest.h"
#include "server/clients/session_hub.h"
#include "server/pressure/memory_pressure.h"
#include "server/stats/rpc_stats.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

class SharedStatsTest : public PoolFixture {
 protected:
  SharedStatsTest() {
    Make(InlineOptions());
    StatsSource::Deps deps;
    deps.clock = &clock_;
    deps.pool = pool_.get();
    deps.directory = directory_.get();
    deps.calls = &calls_;
    deps.memory_pressure = &pressure_;
    deps.sessions = &hub_;
    deps.rpcs = &rpcs_;
    source_ = std::make_unique<StatsSource>(deps);
    shared_ =
        std::make_unique<SharedStats>(source_.get(), pool_.get(), &clock_);
  }

  std::shared_ptr<const v1::GetStatsResponse> For(HolderId holder) {
    return shared_->For(pool_->FindHolder(holder));
  }

  SessionHub hub_;
  const MemoryLimit limit_ = MemoryLimit::Find("/nonexistent");
  MemoryPressure pressure_{&limit_, &clock_, {}};
  RpcStats rpcs_{&clock_, [] {}};
  std::unique_ptr<StatsSource> source_;
  std::unique_ptr<SharedStats> shared_;
};

TEST_F(SharedStatsTest, AUidsProcessesGetTheSameSnapshot) {
  EXPECT_EQ(For(kAlice), For(kBob));
  EXPECT_NE(For(kAlice), For(kCarol));
}

TEST_F(SharedStatsTest, ASnapshotIsRenewedOnceItIsOld) {
  const auto first = For(kAdmin);
  LeaseOrDie(kAlice, 4096);
  clock_.Advance(SharedStats::kStatsAge - absl::Milliseconds(1));
  EXPECT_EQ(For(kAdmin), first);
  EXPECT_EQ(For(kAdmin)->leases().live_leases(), 0u);
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(For(kAdmin)->leases().live_leases(), 1u);
  EXPECT_EQ(For(kCarol)->leases().live_leases(), 1u);
}

TEST_F(SharedStatsTest, OnlyAnAdminSeesOtherUidsRefusals) {
  pool_->RecordRefused(kAlice, 4096, absl::ResourceExhaustedError("no room"));
  EXPECT_TRUE(For(kAdmin)->has_last_refusal());
  EXPECT_TRUE(For(kBob)->has_last_refusal());
  EXPECT_FALSE(For(kCarol)->has_last_refusal());
  EXPECT_FALSE(
      shared_->For(absl::UnavailableError("gone"))->has_last_refusal());
}

}  // namespace
}  // namespace warmpool
