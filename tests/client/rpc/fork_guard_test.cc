#include "client/rpc/fork_guard.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "gtest/gtest.h"
#include "tests/core/memory/faulty_system_calls.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

// Runs `in_child` in a forked child; whether it returned true there.
bool Child(const std::function<bool()>& in_child) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    _exit(in_child() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0;
}

void ExpectTellsChildrenApart(ForkGuard& guard) {
  const ForkMark mark = guard.Mark();
  EXPECT_FALSE(mark.Forked());
  EXPECT_TRUE(Child([&] {
    if (!mark.Forked()) return false;
    // A child that begins anew is a process like any other, ...
    const ForkMark own = guard.Mark();
    return !own.Forked() && mark.Forked() && Child([&] {
      // ... and so is its child.
      return own.Forked() && mark.Forked() && !guard.Mark().Forked() &&
             own.Forked() && mark.Forked();
    });
  }));
  EXPECT_FALSE(mark.Forked());
  EXPECT_FALSE(guard.Mark().Forked());
}

TEST(ForkGuardTest, TellsAChildFromItsParent) {
  FaultySystemCalls calls;
  ForkGuard guard(&calls);
  EXPECT_TRUE(guard.has_page());
  ExpectTellsChildrenApart(guard);
}

TEST(ForkGuardTest, DoesWithoutThePageWhereTheKernelRefusesIt) {
  for (const Call call : {Call::kMmap, Call::kMadvise}) {
    FaultySystemCalls calls;
    calls.FailNext(call, EINVAL);
    ForkGuard guard(&calls);
    EXPECT_FALSE(guard.has_page());
    ExpectTellsChildrenApart(guard);
  }
}

TEST(ForkGuardTest, TheProcessHasOne) {
  ExpectTellsChildrenApart(ForkGuard::Get());
  EXPECT_EQ(&ForkGuard::Get(), &ForkGuard::Get());
}

}  // namespace
}  // namespace warmpool
