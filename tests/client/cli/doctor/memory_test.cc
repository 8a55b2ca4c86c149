#include "client/cli/doctor/memory.h"

#include "core/base/byte_size.h"
#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"
#include "tests/core/memory/fake_cgroups.h"

namespace warmpool::doctor {
namespace {

class MemoryTest : public ::testing::Test {
 protected:
  MemoryTest() : files_("/pod") {
    plan_.root = files_.root();
    // 8 GiB, 4 of them available.
    files_.Write("/proc/meminfo",
                 "MemTotal:        8388608 kB\nMemFree:         1000000 kB\n"
                 "MemAvailable:    4194304 kB\n");
  }

  FakeCgroups files_;
  Plan plan_;
};

TEST_F(MemoryTest, WithoutLimitAndPlanAllIsOk) {
  for (const Check& check : CheckMemory(plan_)) EXPECT_THAT(check, IsOk());
}

TEST_F(MemoryTest, ACapacityThatTheMachineHasNotFails) {
  plan_.capacity_bytes = 9 * kGiB;
  EXPECT_THAT(Named("memory", CheckMemory(plan_)),
              Fails("8 GiB", "--capacity_bytes=4294967296"));
}

TEST_F(MemoryTest, ACapacityThatOthersUseWarnsBeforeItIsTheDaemons) {
  plan_.capacity_bytes = 5 * kGiB;
  EXPECT_THAT(Named("memory", CheckMemory(plan_)),
              Warns("takes what others use", "--capacity_bytes="));
  plan_.daemon_runs = true;
  EXPECT_THAT(Named("memory", CheckMemory(plan_)), IsOk());
}

TEST_F(MemoryTest, ACapacityBeyondTheGroupsLimitFails) {
  files_.SetMax("/pod", "1073741824");
  files_.SetCurrent("/pod", 0);
  plan_.capacity_bytes = kGiB / 2;
  EXPECT_THAT(Named("cgroup", CheckMemory(plan_)), IsOk());
  // The daemon keeps some for itself.
  plan_.capacity_bytes = kGiB;
  EXPECT_THAT(Named("cgroup", CheckMemory(plan_)),
              Fails("memory.max", "resources.limits.memory"));
}

TEST_F(MemoryTest, AFullOrTinyGroupWarns) {
  files_.SetMax("/pod", "1073741824");
  files_.SetCurrent("/pod", kGiB - kMiB);
  EXPECT_THAT(Named("cgroup", CheckMemory(plan_)), Warns("full", "MemoryMax="));
  files_.SetMax("/pod", "33554432");
  files_.SetCurrent("/pod", 0);
  EXPECT_THAT(Named("cgroup", CheckMemory(plan_)),
              Warns("32 MiB", "docker run --memory="));
}

TEST_F(MemoryTest, TheGroupOfADaemonThatRunsCounts) {
  files_.SetMax("/system.slice/warmpool.service", "1073741824");
  files_.SetCurrent("/system.slice/warmpool.service", 0);
  files_.Write("/proc/71/cgroup", "0::/system.slice/warmpool.service\n");
  plan_.daemon_pid = 71;
  plan_.capacity_bytes = 2 * kGiB;
  EXPECT_THAT(Named("cgroup", CheckMemory(plan_)),
              Fails("/system.slice/warmpool.service/memory.max", "MemoryMax="));
}

TEST_F(MemoryTest, WithoutProcItIsNotOk) {
  plan_.root = files_.root() + "/nowhere";
  EXPECT_THAT(Named("memory", CheckMemory(plan_)),
              Warns("can't read", "mount /proc"));
}

}  // namespace
}  // namespace warmpool::doctor
