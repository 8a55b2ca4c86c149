#include "client/leases/ticker.h"

#include <atomic>
#include <thread>

#include "core/base/clock.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

const Clock& Monotonic() { return MonotonicClock::Get(); }

void WaitFor(const std::atomic<int>& calls, int count) {
  while (calls < count) std::this_thread::yield();
}

TEST(TickerTest, CallsWhenItIsDueAndNotBefore) {
  std::atomic<int> calls = 0;
  Ticker ticker(&Monotonic(), [&calls] {
    ++calls;
    return absl::InfiniteFuture();
  });
  ticker.Start();
  const absl::Time due = Monotonic().Now() + absl::Milliseconds(20);
  ticker.CallBy(due);
  WaitFor(calls, 1);
  EXPECT_GE(Monotonic().Now(), due);
  // The earliest counts.
  ticker.CallBy(Monotonic().Now() + absl::Hours(1));
  ticker.CallBy(Monotonic().Now());
  WaitFor(calls, 2);
  ticker.CallBy(absl::InfiniteFuture());
  EXPECT_EQ(calls, 2);
}

TEST(TickerTest, CallsAgainWhenTheFunctionSaid) {
  std::atomic<int> calls = 0;
  Ticker ticker(&Monotonic(), [&calls] {
    return ++calls < 5 ? Monotonic().Now() : absl::InfiniteFuture();
  });
  ticker.Start();
  ticker.CallBy(Monotonic().Now());
  WaitFor(calls, 5);
}

TEST(TickerTest, WhatIsAskedForDuringACallIsNotForgotten) {
  std::atomic<int> calls = 0;
  Ticker* self = nullptr;
  Ticker ticker(&Monotonic(), [&] {
    if (++calls == 1) self->CallBy(Monotonic().Now());
    return absl::InfiniteFuture();
  });
  self = &ticker;
  ticker.Start();
  ticker.CallBy(Monotonic().Now());
  WaitFor(calls, 2);
}

TEST(TickerTest, AStoppedOneCallsNoMore) {
  std::atomic<int> calls = 0;
  Ticker ticker(&Monotonic(), [&calls] {
    ++calls;
    return Monotonic().Now();
  });
  ticker.Start();
  ticker.CallBy(Monotonic().Now());
  WaitFor(calls, 1);
  ticker.Stop();
  const int before = calls;
  ticker.CallBy(Monotonic().Now());
  ticker.Start();
  ticker.Stop();
  EXPECT_EQ(calls, before);
}

TEST(TickerTest, WhatFellDueBeforeTheStartIsCalledRightAfterIt) {
  std::atomic<int> calls = 0;
  Ticker ticker(&Monotonic(), [&calls] {
    ++calls;
    return absl::InfiniteFuture();
  });
  ticker.CallBy(absl::InfinitePast());
  EXPECT_EQ(calls, 0);
  ticker.Start();
  ticker.Start();
  WaitFor(calls, 1);
  ticker.Stop();
  EXPECT_EQ(calls, 1);
}

TEST(TickerTest, OneThatWasNeverStartedHasNothingToStop) {
  Ticker ticker(&Monotonic(), [] { return absl::InfiniteFuture(); });
  ticker.CallBy(absl::InfinitePast());
}

}  // namespace
}  // namespace warmpool
