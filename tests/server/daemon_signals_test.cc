#include "server/daemon_signals.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::ExitedWithCode;
using ::testing::KilledBySignal;

// Returns once the thread that waits for it has it.
void Send(int number) {
  kill(getpid(), number);
  sigset_t pending;
  do {
    sched_yield();
    sigpending(&pending);
  } while (sigismember(&pending, number) == 1);
}

TEST(DaemonSignalsTest, OneStopDuringAStartWaitsForItsEnd) {
  const auto start = [] {
    SignalThread signals(BlockSignals());
    if (!signals.Start().ok()) std::_Exit(2);
    Send(SIGTERM);
    Send(SIGHUP);
    std::atomic<int> stops = 0;
    signals.OnStop([&] { ++stops; });
    // Whether it was taken before OnStop or after, it counts once.
    while (stops == 0) sched_yield();
    Send(SIGINT);
    while (stops == 1) sched_yield();
    std::_Exit(stops == 2 ? 0 : 1);
  };
  EXPECT_EXIT(start(), ExitedWithCode(0), "");
}

TEST(DaemonSignalsTest, ASecondEndsTheProcess) {
  const auto start = [] {
    SignalThread signals(BlockSignals());
    if (!signals.Start().ok()) std::_Exit(2);
    Send(SIGTERM);
    Send(SIGINT);
    for (;;) pause();
  };
  EXPECT_EXIT(start(), KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace warmpool
