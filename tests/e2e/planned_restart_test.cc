// Twenty clients at work while daemons are stopped in order, or killed, and
// followed by others at once.
#include <iostream>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "tests/e2e/crew_process.h"
#include "tests/support/daemon_process.h"

namespace warmpool::testing {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(2);

class PlannedRestartTest : public ::testing::Test {
 protected:
  // Of the calls since the last report; the times are told, not asserted.
  void ExpectNoFailure() {
    const CrewProcess::Report report = crew_.Next();
    EXPECT_EQ(report.failed, 0u);
    std::cout << report.calls << " calls, the longest of the probe "
              << absl::FormatDuration(report.probe) << ", of any "
              << absl::FormatDuration(report.worst) << std::endl;
  }

  DaemonProcess daemon_{{"--capacity_bytes=1GiB"}};
  CrewProcess crew_{daemon_.target(), kPause};
};

TEST_F(PlannedRestartTest, NoCallFails) {
  ExpectNoFailure();
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(daemon_.Terminate(), 0);
    daemon_.Restart();
    ExpectNoFailure();
  }
  EXPECT_EQ(crew_.Finish(), 0);
}

TEST_F(PlannedRestartTest, NorDoesOneUnderDaemonsThatAreKilled) {
  ExpectNoFailure();
  for (int i = 0; i < 6; ++i) {
    daemon_.Restart();
    ExpectNoFailure();
  }
  EXPECT_EQ(crew_.Finish(), 0);
}

}  // namespace
}  // namespace warmpool::testing
