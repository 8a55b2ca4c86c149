#include "core/base/idle_thread.h"

#include <sched.h>

#include <thread>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(IdleThreadTest, WorkIsDoneOnAnotherThreadBeforeRunReturns) {
  IdleThread idle;
  int policy = -1;
  std::thread::id id;
  idle.Run([&] {
    policy = sched_getscheduler(0);
    id = std::this_thread::get_id();
  });
  EXPECT_EQ(policy, SCHED_IDLE);
  EXPECT_NE(id, std::this_thread::get_id());
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
  int runs = 0;
  for (int i = 0; i < 100; ++i) idle.Run([&] { ++runs; });
  EXPECT_EQ(runs, 100);
}

}  // namespace
}  // namespace warmpool
