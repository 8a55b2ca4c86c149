#include "server/stats/rpc_stats.h"

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

class RpcStatsTest : public ::testing::Test {
 protected:
  void Record(Rpc rpc, absl::Duration taken,
              absl::StatusCode code = absl::StatusCode::kOk) {
    const absl::Time begun = stats_.Begin();
    clock_.Advance(taken);
    stats_.Record(rpc, begun, code);
  }

  v1::GetStatsResponse Filled() {
    v1::GetStatsResponse response;
    stats_.Fill(response.mutable_rpcs());
    return response;
  }

  FakeClock clock_;
  int activities_ = 0;
  RpcStats stats_{&clock_, [this] { ++activities_; }};
};

TEST_F(RpcStatsTest, TellsThoseThatWereCalled) {
  Record(Rpc::kRenew, absl::Microseconds(50));
  Record(Rpc::kLease, absl::Milliseconds(3),
         absl::StatusCode::kResourceExhausted);
  const v1::GetStatsResponse response = Filled();
  ASSERT_EQ(response.rpcs_size(), 2);
  EXPECT_EQ(response.rpcs(0).method(), "Lease");
  EXPECT_EQ(response.rpcs(0).latency().sum_ns(), 3'000'000u);
  ASSERT_EQ(response.rpcs(0).outcomes_size(), 1);
  EXPECT_EQ(response.rpcs(0).outcomes(0).code(), 8);
  EXPECT_EQ(response.rpcs(1).method(), "Renew");
}

TEST_F(RpcStatsTest, AnUntimedAnswerIsCountedAllTheSame) {
  stats_.RecordUntimed(Rpc::kAttach, absl::StatusCode::kOk);
  const v1::GetStatsResponse response = Filled();
  ASSERT_EQ(response.rpcs_size(), 1);
  EXPECT_EQ(response.rpcs(0).outcomes(0).count(), 1u);
  EXPECT_EQ(response.rpcs(0).latency().count(), 0u);
}

TEST_F(RpcStatsTest, ActivityIsToldOnceUntilItIsAskedForAgain) {
  for (int i = 0; i < 100; ++i) Record(Rpc::kLease, absl::Microseconds(1));
  EXPECT_EQ(activities_, 1);
  stats_.Rearm();
  for (int i = 0; i < 100; ++i) Record(Rpc::kLease, absl::Microseconds(1));
  EXPECT_EQ(activities_, 2);
}

}  // namespace
}  // namespace warmpool
