#include "server/transport/hard_stop.h"

#include <atomic>

#include "gtest/gtest.h"
#include "tests/support/daemon_process.h"

namespace warmpool {
namespace {

TEST(HardStopTest, StopsWhatDoesNotEndInTime) {
  std::atomic<bool> stopped = false;
  HardStop hard_stop(&MonotonicClock::Get(), absl::Milliseconds(5),
                     [&stopped] { stopped = true; });
  EXPECT_TRUE(testing::Eventually([&stopped] { return stopped.load(); }));
}

TEST(HardStopTest, LeavesAloneWhatDoes) {
  std::atomic<bool> stopped = false;
  {
    HardStop hard_stop(&MonotonicClock::Get(), absl::Hours(1),
                       [&stopped] { stopped = true; });
  }
  EXPECT_FALSE(stopped);
}

}  // namespace
}  // namespace warmpool
