#include "core/base/user_namespace.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace warmpool {
namespace {

TEST(UserNamespaceTest, ReadsWhetherAMapLeavesAnybodyOut) {
  EXPECT_TRUE(MapsAllUsers("         0          0 4294967295\n"));
  EXPECT_TRUE(MapsAllUsers("0 0 1000\n1000 1000 4294966295\n"));
  EXPECT_FALSE(MapsAllUsers("0 1000 1\n"));
  EXPECT_FALSE(MapsAllUsers("0 100000 65536\n"));
  EXPECT_FALSE(MapsAllUsers(""));
}

TEST(UserNamespaceTest, AUidThatIsNotTheKernelsOneForOthersIsWhatItSays) {
  EXPECT_FALSE(MayBeAnyUser(0));
  EXPECT_FALSE(MayBeAnyUser(1000));
}

TEST(UserNamespaceTest, WithoutAMapEverybodyLooksAlike) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    if (unshare(CLONE_NEWUSER) < 0) _exit(2);
    _exit(MayBeAnyUser(geteuid()) && MayBeAnyUser(65534) ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace warmpool
