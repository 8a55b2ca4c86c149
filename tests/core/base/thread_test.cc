#include "core/base/thread.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <utility>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

sigset_t MaskOfThisThread() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return mask;
}

bool Blocks(const sigset_t& mask, int signal) {
  return sigismember(&mask, signal) == 1;
}

TEST(ThreadTest, BlocksWhatIsSentToTheProcessButNotFaults) {
  sigset_t mask;
  char name[16] = "";
  {
    Thread thread;
    ASSERT_TRUE(thread
                    .Start("wp-test",
                           [&] {
                             mask = MaskOfThisThread();
                             pthread_getname_np(pthread_self(), name,
                                                sizeof(name));
                           })
                    .ok());
  }
  for (const int sent :
       {SIGTERM, SIGINT, SIGUSR1, SIGCHLD, SIGALRM, SIGRTMIN}) {
    EXPECT_TRUE(Blocks(mask, sent)) << sent;
  }
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    EXPECT_FALSE(Blocks(mask, fault)) << fault;
  }
  EXPECT_STREQ(name, "wp-test");
  EXPECT_FALSE(Blocks(MaskOfThisThread(), SIGTERM))
      << "its starter's is as it was";
}

TEST(ThreadTest, OneThatWasPreparedEndsWithoutHavingRun) {
  Thread never_run;
  ASSERT_TRUE(never_run.Prepare("wp-test").ok());
  ASSERT_TRUE(never_run.Prepare("wp-test").ok());
  EXPECT_FALSE(never_run.running());
}

TEST(ThreadTest, OneThatWasPreparedRunsWhereItWasMovedTo) {
  std::atomic<bool> ran = false;
  Thread prepared;
  ASSERT_TRUE(prepared.Prepare("wp-test").ok());
  Thread moved(std::move(prepared));
  EXPECT_FALSE(ran);
  moved.Run([&] { ran = true; });
  EXPECT_TRUE(moved.running());
  moved.Join();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(moved.running());
}

}  // namespace
}  // namespace warmpool
