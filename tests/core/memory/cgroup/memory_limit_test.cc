#include "core/memory/cgroup/memory_limit.h"

#include <optional>
#include <string>

#include "gtest/gtest.h"
#include "tests/core/memory/fake_cgroups.h"

namespace warmpool {
namespace {

constexpr char kV1Mounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

std::optional<MemoryUse> Read(const FakeCgroups& cgroups) {
  return MemoryLimit::Find(cgroups.root()).Read();
}

TEST(MemoryLimitTest, WithoutControlGroupsThereIsNone) {
  EXPECT_FALSE(Read(FakeCgroups("", "")).has_value());
  EXPECT_FALSE(Read(FakeCgroups("/a")).has_value()) << "no such directory";
  EXPECT_FALSE(MemoryLimit::Find("/nowhere").Read().has_value());
}

TEST(MemoryLimitTest, TheGroupThatLeavesLeastDecides) {
  FakeCgroups cgroups("/pods/daemon");
  cgroups.SetMax("/pods/daemon", "1000");
  cgroups.SetCurrent("/pods/daemon", 100);
  cgroups.SetMax("/pods", "2000");
  cgroups.SetCurrent("/pods", 1500);
  const MemoryUse use = Read(cgroups).value();
  EXPECT_EQ(use.limit_bytes, 2000u);
  EXPECT_EQ(use.used_bytes, 1500u);
  EXPECT_EQ(use.room_bytes(), 500u);
  EXPECT_EQ(use.limit_file, cgroups.root() + "/sys/fs/cgroup/pods/memory.max");
  cgroups.SetMax("/pods", "max");
  EXPECT_EQ(Read(cgroups).value().room_bytes(), 900u);
  cgroups.SetMax("/pods/daemon", "max");
  EXPECT_FALSE(Read(cgroups).has_value());
}

TEST(MemoryLimitTest, AChangedLimitIsSeen) {
  FakeCgroups cgroups("/daemon");
  cgroups.SetMax("/daemon", "1000");
  const MemoryLimit limit = MemoryLimit::Find(cgroups.root());
  EXPECT_EQ(limit.Read().value().limit_bytes, 1000u);
  cgroups.SetMax("/daemon", "5000");
  EXPECT_EQ(limit.Read().value().limit_bytes, 5000u);
}

TEST(MemoryLimitTest, AGroupIsSlowedDownFromMemoryHighOn) {
  FakeCgroups cgroups("/daemon");
  cgroups.SetMax("/daemon", "1000");
  cgroups.Write("/sys/fs/cgroup/daemon/memory.high", "800\n");
  cgroups.SetCurrent("/daemon", 900);
  const MemoryUse use = Read(cgroups).value();
  EXPECT_EQ(use.limit_bytes, 800u);
  EXPECT_EQ(use.room_bytes(), 0u);
  EXPECT_EQ(use.limit_file,
            cgroups.root() + "/sys/fs/cgroup/daemon/memory.high");
}

TEST(MemoryLimitTest, WhatTheKernelDropsFirstIsNotInUse) {
  FakeCgroups cgroups("/daemon");
  cgroups.SetMax("/daemon", "1000");
  cgroups.SetCurrent("/daemon", 900);
  cgroups.Write("/sys/fs/cgroup/daemon/memory.stat",
                "anon 200\nfile 700\nshmem 100\ninactive_file 600\n"
                "active_file 50\n");
  EXPECT_EQ(Read(cgroups).value().used_bytes, 300u);
}

TEST(MemoryLimitTest, V1IsReadWhereTheControllerIsThere) {
  FakeCgroups cgroups("4:memory:/jobs/daemon\n1:cpu:/\n0::/other\n", kV1Mounts);
  const std::string memory = "/sys/fs/cgroup/memory";
  cgroups.Write(memory + "/memory.limit_in_bytes", "9223372036854771712\n");
  cgroups.Write(memory + "/jobs/memory.limit_in_bytes", "4096\n");
  cgroups.Write(memory + "/jobs/memory.usage_in_bytes", "1096\n");
  cgroups.Write(memory + "/jobs/memory.stat",
                "inactive_file 1\ntotal_inactive_file 96\n");
  cgroups.Write(memory + "/jobs/daemon/memory.limit_in_bytes",
                "9223372036854771712\n");
  const MemoryUse use = Read(cgroups).value();
  EXPECT_EQ(use.limit_bytes, 4096u);
  EXPECT_EQ(use.used_bytes, 1000u);
}

TEST(MemoryLimitTest, AContainersMountShowsItsOwnGroupAtTheTop) {
  for (const char* const membership :
       {"0::/docker/ab\n", "0::/../elsewhere\n", "0::/docker/abc\n"}) {
    FakeCgroups cgroups(membership,
                        "31 23 0:28 /docker/ab /sys/fs/cgroup ro - cgroup2 "
                        "cgroup rw\n");
    cgroups.SetMax("", "1000");
    EXPECT_EQ(Read(cgroups).value().room_bytes(), 1000u) << membership;
  }
}

TEST(MemoryLimitTest, PressureIsToldByEveryGroupOfV2) {
  FakeCgroups cgroups("4:memory:/jobs\n0::/a/b\n", kV1Mounts);
  const std::string unified = cgroups.root() + "/sys/fs/cgroup/unified";
  EXPECT_EQ(MemoryLimit::Find(cgroups.root()).PressureFiles(),
            (std::vector<std::string>{unified + "/a/b/memory.pressure",
                                      unified + "/a/memory.pressure",
                                      unified + "/memory.pressure"}));
}

}  // namespace
}  // namespace warmpool
