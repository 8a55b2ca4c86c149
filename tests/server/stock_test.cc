// A real daemon that makes segments ahead of demand.
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr uint64_t kTwoMiB = 2 << 20;
// What runs when nothing else wants to may wait long on a busy machine.
constexpr absl::Duration kPatience = absl::Minutes(2);

class StockTest : public ::testing::Test {
 protected:
  void Start(const std::string& decay, const std::string& stock = "auto") {
    daemon_ = std::make_unique<DaemonProcess>(std::vector<std::string>{
        "--capacity_bytes=256MiB", "--default_ttl=0",
        "--bigcache_decay=" + decay, "--stock_bytes=" + stock});
    client_ = std::make_unique<RawClient>(daemon_->target());
  }

  v1::ByteAccount Bytes() { return client_->Stats().bytes(); }

  void LeaseTwoCold() {
    for (int i = 0; i < 2; ++i) {
      leases_.push_back(client_->MustLease(RawClient::LeaseOf(kTwoMiB)));
    }
  }
  // Two cold leases want two segments.
  bool StockFills() {
    return Eventually(
        [&] {
          return Bytes().stock_bytes() == 2 * kTwoMiB &&
                 daemon_->SegmentFiles().size() == 4;
        },
        kPatience);
  }

  std::unique_ptr<DaemonProcess> daemon_;
  std::unique_ptr<RawClient> client_;
  std::vector<v1::GrantedLease> leases_;
};

TEST_F(StockTest, AClassInDemandIsLeasedFromStockAndItsPagesAreZero) {
  Start("inf");
  LeaseTwoCold();
  EXPECT_EQ(leases_[1].warmth(), v1::WARMTH_FRESH);
  ASSERT_TRUE(StockFills());
  // It may be one that is still being made.
  v1::GrantedLease lease;
  ASSERT_TRUE(Eventually(
      [&] {
        v1::LeaseRequest request = RawClient::LeaseOf(kTwoMiB);
        request.set_if_ready(true);
        v1::LeaseResponse response;
        if (!client_->Lease(request, &response).ok()) return false;
        lease = response.lease();
        return true;
      },
      kPatience));
  EXPECT_EQ(lease.warmth(), v1::WARMTH_STOCK);
  EXPECT_TRUE(lease.zeroed());
  struct stat file;
  ASSERT_EQ(stat(lease.path().c_str(), &file), 0);
  EXPECT_EQ(static_cast<uint64_t>(file.st_blocks) * 512, kTwoMiB);
  EXPECT_EQ(client_->Stats().leases().granted_stock(), 1u);
}

TEST_F(StockTest, WhatNobodyAsksForIsGivenBackWithoutTraffic) {
  Start("2s");
  LeaseTwoCold();
  ASSERT_TRUE(Eventually(
      [&] { return client_->Stats().bytes().stock_bytes() > 0; }, kPatience));
  EXPECT_TRUE(Eventually(
      [&] {
        const v1::ByteAccount bytes = Bytes();
        return bytes.stock_bytes() == 0 && bytes.batched_bytes() == 0;
      },
      kPatience));
  EXPECT_EQ(daemon_->SegmentFiles().size(), leases_.size());
}

TEST_F(StockTest, AStoppedDaemonLeavesNone) {
  Start("inf");
  LeaseTwoCold();
  ASSERT_TRUE(StockFills());
  EXPECT_EQ(daemon_->Terminate(), 0);
  EXPECT_EQ(daemon_->SegmentFiles().size(), leases_.size());
}

TEST_F(StockTest, WhatAKilledDaemonHadIsEndedByTheNext) {
  Start("inf");
  LeaseTwoCold();
  ASSERT_TRUE(StockFills());
  daemon_->Kill();
  daemon_->Restart();
  client_ = std::make_unique<RawClient>(daemon_->target());
  EXPECT_TRUE(Eventually([&] {
    const v1::ByteAccount bytes = Bytes();
    return bytes.leased_bytes() == leases_.size() * kTwoMiB &&
           bytes.quarantined_bytes() + bytes.batched_bytes() == 0;
  }));
  EXPECT_EQ(daemon_->SegmentFiles().size(), leases_.size());
}

TEST_F(StockTest, NoneIsMadeWhereItIsOff) {
  Start("inf", "0");
  LeaseTwoCold();
  LeaseTwoCold();
  EXPECT_EQ(Bytes().stock_bytes(), 0u);
  EXPECT_EQ(client_->Stats().leases().granted_fresh(), 4u);
}

}  // namespace
}  // namespace warmpool::testing
