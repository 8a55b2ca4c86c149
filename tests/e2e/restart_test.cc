// Client processes under daemons that are killed and restarted.
#include <signal.h>

#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/random_id.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr char kClient[] = "tests/e2e/pattern_client";
constexpr uint64_t kTwoMiB = 2 << 20;

class RestartTest : public ::testing::Test {
 protected:
  std::unique_ptr<ChildProcess> Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), kClient);
    arguments.insert(arguments.begin() + 2, daemon_.target());
    return std::make_unique<ChildProcess>(arguments);
  }

  // A process that holds a buffer of 2 MiB of that name.
  std::unique_ptr<ChildProcess> Hold(const std::string& name) {
    auto holder = Run({"hold", name, absl::StrCat(kTwoMiB)});
    EXPECT_NE(holder->ReadLine(), "");
    return holder;
  }

  DaemonProcess daemon_{{"--drain_timeout=0", "--capacity_bytes=256MiB"}};
};

TEST_F(RestartTest, ClientsWorkOnThroughDaemonsThatAreKilled) {
  std::vector<std::unique_ptr<ChildProcess>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(Run({"churn", absl::StrCat(i), "3000"}));
  }
  for (int i = 0; i < 5; ++i) {
    RawClient client(daemon_.target());
    // Each daemon serves for a while.
    const uint64_t served = 200;
    EXPECT_TRUE(Eventually([&] {
      const v1::LeaseCounts counts = client.Stats().leases();
      return counts.granted_warm() + counts.granted_stock() +
                 counts.granted_fresh() >=
             served;
    }));
    daemon_.Restart();
  }
  for (const auto& client : clients) {
    EXPECT_EQ(client->ReadLine(), "ok");
    EXPECT_EQ(client->Wait(), 0);
  }
  EXPECT_EQ(daemon_.Terminate(), 0);
  EXPECT_FALSE(std::filesystem::exists(daemon_.shm_dir()));
}

TEST_F(RestartTest, LeasesOfProcessesThatDiedMeanwhileAreEnded) {
  const auto dying = Hold("dying");
  const auto living = Hold("living");
  daemon_.Kill();
  dying->Signal(SIGKILL);
  dying->Wait();
  daemon_.Restart();
  RawClient client(daemon_.target());
  EXPECT_TRUE(Eventually(
      [&] {
        const v1::ByteAccount bytes = client.Stats().bytes();
        return bytes.leased_bytes() == kTwoMiB &&
               bytes.quarantined_bytes() == 0;
      },
      absl::Seconds(1)));
  const auto viewer = Run({"view", "living"});
  ASSERT_EQ(viewer->ReadLine(), "attached");
  viewer->WriteLine("check");
  EXPECT_EQ(viewer->ReadLine(), "intact");
}

TEST_F(RestartTest, TenThousandLeasesGoOn) {
  constexpr int kLeases = 10'000;
  RawClient client(daemon_.target());
  v1::LeaseRequest request = RawClient::LeaseOf(1);
  for (int i = 0; i < kLeases; ++i) {
    request.set_request_id(KernelRandom::Get().Next().ToBytes());
    client.MustLease(request);
  }
  daemon_.Kill();
  const absl::Time before = absl::Now();
  daemon_.Restart();
  RawClient later(daemon_.target());
  EXPECT_EQ(later.Stats().leases().live_leases(), uint64_t{kLeases});
  // Told, not asserted: how long depends on what else the machine does.
  std::cout << "ready with " << kLeases << " leases after "
            << absl::FormatDuration(absl::Now() - before) << std::endl;
}

TEST_F(RestartTest, ARestartInOrderLosesNoLeaseEither) {
  const auto holder = Hold("held");
  EXPECT_EQ(daemon_.Terminate(), 0);
  daemon_.Restart();
  RawClient client(daemon_.target());
  EXPECT_EQ(client.Stats().leases().live_leases(), 1u);
  EXPECT_EQ(client.Stats().bytes().leased_bytes(), kTwoMiB);
  holder->Signal(SIGKILL);
  holder->Wait();
  EXPECT_TRUE(
      Eventually([&] { return client.Stats().bytes().leased_bytes() == 0; },
                 absl::Seconds(1)));
}

}  // namespace
}  // namespace warmpool::testing
