// A daemon that tells its service manager that it lives, until a thread of it
// is stuck.
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/server/service_manager.h"
#include "tests/support/child_process.h"

namespace warmpool::testing {
namespace {

// A third of WATCHDOG_USEC.
constexpr absl::Duration kPeriod = absl::Milliseconds(20);

class StuckThreadTest : public ::testing::Test {
 protected:
  StuckThreadTest() {
    setenv("WATCHDOG_USEC", "60000", 1);
    setenv("WARMPOOL_STUCK_FILE", stuck_file_.c_str(), 1);
    daemon_ = std::make_unique<ChildProcess>(std::vector<std::string>{
        "tests/server/stuck_daemon", absl::StrCat("--listen=", target_),
        absl::StrCat("--shm_dir=", manager_.shm_dir()), "--log_level=off"});
    unsetenv("WATCHDOG_USEC");
    while (!manager_.Receive().starts_with("READY=1")) {
    }
    client_ = std::make_unique<RawClient>(target_);
  }

  void ArmStuckThread() { std::ofstream(stuck_file_) << "x"; }

  void ExpectAlive() {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(manager_.Receive(), "WATCHDOG=1");
  }
  // What was told before the thread got stuck may come first.
  void ExpectSilence() {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (manager_.Receive(absl::ToInt64Milliseconds(20 * kPeriod)) != "") {
      ASSERT_LT(absl::Now(), deadline) << "it tells that it lives";
    }
  }

  ServiceManager manager_;
  const std::string stuck_file_ = manager_.directory() + "/stuck";
  const std::string target_ =
      absl::StrCat("unix:", manager_.directory(), "/socket");
  std::unique_ptr<ChildProcess> daemon_;
  std::unique_ptr<RawClient> client_;
};

TEST_F(StuckThreadTest, AStuckMaintenanceThreadIsTold) {
  const v1::GrantedLease lease =
      client_->MustLease(RawClient::LeaseOf(64 << 10));
  ExpectAlive();
  ArmStuckThread();
  // Proven by the maintenance thread, as nobody leases it again.
  client_->Release(RawClient::ReleaseOf(lease));
  ExpectSilence();
}

TEST_F(StuckThreadTest, AStuckServingThreadIsTold) {
  const v1::GrantedLease lease =
      client_->MustLease(RawClient::LeaseOf(64 << 10));
  ExpectAlive();
  ArmStuckThread();
  v1::SealRequest seal;
  seal.mutable_lease()->set_lease_id(lease.lease_id());
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(1));
  v1::SealResponse sealed;
  EXPECT_EQ(client_->stub().Seal(&context, seal, &sealed).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  ExpectSilence();
}

}  // namespace
}  // namespace warmpool::testing
