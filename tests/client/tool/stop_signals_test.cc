#include "client/tool/stop_signals.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(StopSignalsTest, ASignalIsReadableAndDoesNotEndTheProcess) {
  StopSignals signals;
  EXPECT_FALSE(signals.Arrived());
  kill(getpid(), SIGTERM);
  pollfd polled = {.fd = signals.fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&polled, 1, 10'000), 1);
  EXPECT_TRUE(signals.Arrived());
  EXPECT_FALSE(signals.Arrived());
}

TEST(StopSignalsDeathTest, TheSecondSignalEndsTheProcess) {
  EXPECT_EXIT(
      {
        StopSignals signals;
        raise(SIGINT);
        if (!signals.Arrived()) _exit(1);
        raise(SIGINT);
        _exit(2);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace warmpool
