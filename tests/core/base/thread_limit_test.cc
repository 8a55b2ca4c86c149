// Threads that the system refuses.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "core/base/thread.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Runs `in_child`, which returns what is wrong, in a forked child.
std::string InChild(const std::function<std::string()>& in_child) {
  int ends[2];
  if (pipe(ends) < 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    const std::string wrong = in_child();
    const bool told = write(ends[1], wrong.data(), wrong.size()) >= 0;
    _exit(told ? 0 : 1);
  }
  close(ends[1]);
  std::string wrong;
  char part[4096];
  for (ssize_t got; (got = read(ends[0], part, sizeof(part))) > 0;) {
    wrong.append(part, static_cast<size_t>(got));
  }
  close(ends[0]);
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0 ? wrong : "the child ended with " + std::to_string(status);
}

TEST(ThreadLimitTest, SaysWhichUsersLimitWasMet) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  const std::string wrong = InChild([]() -> std::string {
    constexpr uid_t kNobodyElse = 61001;
    const rlimit three = {3, 3};
    if (setrlimit(RLIMIT_NPROC, &three) < 0 ||
        setresuid(kNobodyElse, kNobodyElse, kNobodyElse) < 0) {
      return "can't become another user";
    }
    // This process is one of the three.
    if (!CheckThreads(2).ok()) return "two should be there";
    if (ThreadWasRefused()) return "none was refused";
    std::string refused = CheckThreads(3).ToString();
    // A shortage that has passed is remembered.
    if (!CheckThreads(2).ok() || !ThreadWasRefused()) return "one was refused";
    return refused;
  });
  EXPECT_THAT(wrong, AllOf(HasSubstr("RESOURCE_EXHAUSTED"),
                           HasSubstr("RLIMIT_NPROC allows uid 61001 3 threads"),
                           HasSubstr("ulimit -u")));
}

TEST(ThreadLimitTest, SaysThatTheAddressSpaceIsUsedUp) {
  const std::string wrong = InChild([]() -> std::string {
    const rlimit small = {64 << 20, 64 << 20};
    if (setrlimit(RLIMIT_AS, &small) < 0) return "can't set the limit";
    // Stacks of 8 MiB.
    return std::string(CheckThreads(100).ToString());
  });
  EXPECT_THAT(wrong, AllOf(HasSubstr("RESOURCE_EXHAUSTED"),
                           HasSubstr("RLIMIT_AS allows 64 MiB"),
                           HasSubstr("ulimit -v")));
}

}  // namespace
}  // namespace warmpool
