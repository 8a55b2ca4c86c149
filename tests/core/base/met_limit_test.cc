#include "core/base/met_limit.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kBytes = 16 << 20;

// What is said of a mapping that fails in a forked child, after `set_up` there.
std::string OfAMapping(const std::function<bool()>& set_up) {
  int ends[2];
  if (pipe(ends) < 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    std::string said = "can't set up";
    if (set_up()) {
      void* const mapped =
          mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      const int error = errno;
      said = mapped == MAP_FAILED ? LimitMetByMapping(kBytes, error)
                                  : "it was mapped";
    }
    _exit(write(ends[1], said.data(), said.size()) >= 0 ? 0 : 1);
  }
  close(ends[1]);
  std::string said;
  char part[4096];
  for (ssize_t got; (got = read(ends[0], part, sizeof(part))) > 0;) {
    said.append(part, static_cast<size_t>(got));
  }
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return said;
}

TEST(MetLimitTest, TellsTheAddressSpace) {
  EXPECT_THAT(
      OfAMapping([] {
        const rlimit small = {16 << 20, 16 << 20};
        return setrlimit(RLIMIT_AS, &small) == 0;
      }),
      AllOf(HasSubstr("can't map 16 MiB"), HasSubstr("RLIMIT_AS allows 16 MiB"),
            HasSubstr("ulimit -v")));
}

TEST(MetLimitTest, TellsLockedMemoryWhereAllIsLocked) {
  if (geteuid() != 0) GTEST_SKIP() << "mlockall takes root";
  EXPECT_THAT(
      OfAMapping([] {
        constexpr uid_t kNobodyElse = 61001;
        // Nothing is locked so far.
        if (mlockall(MCL_FUTURE) < 0) return false;
        const rlimit small = {1 << 20, 1 << 20};
        return setrlimit(RLIMIT_MEMLOCK, &small) == 0 &&
               setresuid(kNobodyElse, kNobodyElse, kNobodyElse) == 0;
      }),
      AllOf(HasSubstr("RLIMIT_MEMLOCK allows 1 MiB"), HasSubstr("ulimit -l")));
}

TEST(MetLimitTest, TellsTheNumberOfMappings) {
  std::string most;
  std::ifstream("/proc/sys/vm/max_map_count") >> most;
  if (std::stoull(most) > 200'000) GTEST_SKIP() << "too many mappings to make";
  EXPECT_THAT(OfAMapping([] {
                // Neighbours that differ are not merged.
                for (int i = 0;; ++i) {
                  if (mmap(nullptr, 4096, i % 2 == 0 ? PROT_READ : PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) {
                    return errno == ENOMEM;
                  }
                }
              }),
              AllOf(HasSubstr("vm.max_map_count allows a process " + most),
                    HasSubstr("sysctl")));
}

TEST(MetLimitTest, WithoutAnExplanationItListsWhereToLook) {
  EXPECT_THAT(LimitMetByMapping(4096, ENOMEM),
              AllOf(HasSubstr("can't map 4 KiB"), HasSubstr("ulimit -v"),
                    HasSubstr("vm.max_map_count")));
  EXPECT_THAT(LimitMetByThread(), HasSubstr("ulimit -u"));
}

}  // namespace
}  // namespace warmpool
