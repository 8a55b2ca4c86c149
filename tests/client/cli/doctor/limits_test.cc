#include "client/cli/doctor/limits.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"
#include "tests/core/memory/fake_cgroups.h"

namespace warmpool::doctor {
namespace {

constexpr char kNames[] =
    "Limit                     Soft Limit           Hard Limit           "
    "Units\n";

class LimitsTest : public ::testing::Test {
 protected:
  LimitsTest() : files_("/") { plan_.root = files_.root(); }

  void SetLimits(const std::string& process, const std::string& memlock,
                 const std::string& descriptors) {
    files_.Write("/proc/" + process + "/limits",
                 std::string(kNames) + "Max open files            " +
                     descriptors + "   files\nMax locked memory         " +
                     memlock + "   bytes\nMax file size             " +
                     file_size_ + "   bytes\n");
    files_.Write("/proc/sys/vm/max_map_count", "65530\n");
  }

  std::string file_size_ = "unlimited   unlimited";
  FakeCgroups files_;
  Plan plan_;
};

TEST_F(LimitsTest, WhatSufficesIsOk) {
  SetLimits("self", "8388608   8388608", "1024   1048576");
  plan_.buffers = 20000;
  for (const Check& check : CheckLimits(plan_)) EXPECT_THAT(check, IsOk());
}

TEST_F(LimitsTest, TheLimitsOfADaemonThatRunsCount) {
  SetLimits("self", "unlimited   unlimited", "1024   1048576");
  SetLimits("71", "unlimited   unlimited", "1024   4096");
  plan_.buffers = 20000;
  plan_.daemon_pid = 71;
  const Check check = Named("descriptors", CheckLimits(plan_));
  EXPECT_THAT(check,
              Warns("4,096 at most, of them 3,072 for segments: of 20,000",
                    "LimitNOFILE="));
}

TEST_F(LimitsTest, TheRemedyForDescriptorsSuffices) {
  SetLimits("self", "unlimited   unlimited", "1024   1024");
  plan_.buffers = 20000;
  const Check check = Named("descriptors", CheckLimits(plan_));
  const std::string number = check.remedy.substr(
      std::string("LimitNOFILE=").size(), check.remedy.find(' ') - 12);
  SetLimits("self", "unlimited   unlimited", number + "   " + number);
  EXPECT_THAT(Named("descriptors", CheckLimits(plan_)), IsOk());
}

TEST_F(LimitsTest, ADaemonThatCouldNotServeAnybodyFails) {
  SetLimits("self", "unlimited   unlimited", "32   32");
  EXPECT_THAT(Named("descriptors", CheckLimits(plan_)),
              Fails("32 at most", "ulimit -Hn"));
}

TEST_F(LimitsTest, ALimitOfFilesIsOneOfBuffers) {
  plan_.capacity_bytes = 1 << 30;
  file_size_ = "1073741824   unlimited";
  SetLimits("self", "unlimited   unlimited", "1024   1048576");
  EXPECT_THAT(Named("file_size", CheckLimits(plan_)), IsOk());
  file_size_ = "1048576   unlimited";
  SetLimits("self", "unlimited   unlimited", "1024   1048576");
  EXPECT_THAT(Named("file_size", CheckLimits(plan_)),
              Warns("1 MiB in a file at most", "LimitFSIZE=infinity"));
  file_size_ = "512   512";
  SetLimits("self", "unlimited   unlimited", "1024   1048576");
  EXPECT_THAT(Named("file_size", CheckLimits(plan_)),
              Fails("512 B in a file at most", "ulimit -f unlimited"));
}

TEST_F(LimitsTest, LockedMemoryCountsWhereItIsPlanned) {
  SetLimits("self", "8388608   8388608", "1024   1048576");
  plan_.locked_bytes = 8 << 20;
  EXPECT_THAT(Named("memlock", CheckLimits(plan_)), IsOk());
  plan_.locked_bytes = (8 << 20) + 1;
  EXPECT_THAT(Named("memlock", CheckLimits(plan_)),
              Warns("8 MiB", "LimitMEMLOCK=infinity"));
  SetLimits("self", "unlimited   unlimited", "1024   1048576");
  EXPECT_THAT(Named("memlock", CheckLimits(plan_)), IsOk());
}

TEST_F(LimitsTest, MoreBuffersThanAProcessCanMapWarns) {
  SetLimits("self", "unlimited   unlimited", "1024   1048576");
  plan_.buffers = 65530;
  const Check check = Named("mappings", CheckLimits(plan_));
  EXPECT_THAT(check,
              Warns("65,530 in a process", "sysctl -w vm.max_map_count="));
  files_.Write("/proc/sys/vm/max_map_count",
               check.remedy.substr(check.remedy.find('=') + 1));
  EXPECT_THAT(Named("mappings", CheckLimits(plan_)), IsOk());
}

TEST_F(LimitsTest, WhatCantBeReadIsNotOk) {
  for (const Check& check : CheckLimits(plan_)) {
    EXPECT_THAT(check, Warns("can't read", "/proc"));
  }
}

}  // namespace
}  // namespace warmpool::doctor
