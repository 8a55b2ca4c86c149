// Processes that are stopped for longer than a lease's time to live.
#include <signal.h>

#include <string>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "tests/server/raw_client.h"
#include "tests/support/child_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr absl::Duration kTtl = absl::Seconds(2);

class FrozenTest : public ::testing::Test {
 protected:
  FrozenTest() { EXPECT_FALSE(holder_.ReadLine().empty()); }

  auto Leases() {
    const v1::GetStatsResponse stats = RawClient(daemon_.target()).Stats();
    return stats.leases();
  }

  DaemonProcess daemon_{{"--capacity_bytes=64MiB", "--default_ttl=2s"}};
  ChildProcess holder_{{"tests/e2e/pattern_client", "hold", daemon_.target(),
                        "frozen", "65536"}};
};

TEST_F(FrozenTest, ALeaseOutlivesATimeInWhichNeitherDaemonNorHolderRan) {
  // At several points of the time to live: the daemon may sleep, or be about to
  // look.
  for (int i = 0; i < 3; ++i) {
    holder_.Signal(SIGSTOP);
    kill(daemon_.pid(), SIGSTOP);
    absl::SleepFor(kTtl + absl::Milliseconds(700 * (i + 1)));
    kill(daemon_.pid(), SIGCONT);
    const uint64_t renewed = Leases().renewed();
    holder_.Signal(SIGCONT);
    EXPECT_TRUE(Eventually([&] { return Leases().renewed() >= renewed + 2; }));
    EXPECT_EQ(Leases().expired(), 0u);
    EXPECT_EQ(Leases().live_leases(), 1u);
  }
}

TEST_F(FrozenTest, ALeaseExpiresWhereOnlyItsHolderDidNotRun) {
  holder_.Signal(SIGSTOP);
  EXPECT_TRUE(Eventually([&] { return Leases().expired() == 1; }));
  holder_.Signal(SIGCONT);
}

}  // namespace
}  // namespace warmpool::testing
