#include "client/cli/doctor/directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/byte_size.h"
#include "gtest/gtest.h"
#include "tests/client/cli/doctor/verdicts.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool::doctor {
namespace {

// Of a /dev/shm with room, and a directory that is not there yet.
DirectoryReadings Fresh() {
  return {.parent = "/dev/shm",
          .parent_exists = true,
          .writable = true,
          .is_tmpfs = true,
          .mount_point = "/dev/shm",
          .options = "rw,nosuid,rw,size=8g",
          .total_bytes = 8 * kGiB,
          .free_bytes = 8 * kGiB,
          .total_files = 10000,
          .free_files = 10000};
}

DirectoryReadings Made() {
  DirectoryReadings readings = Fresh();
  readings.exists = true;
  readings.is_directory = true;
  readings.owner = 1000;
  readings.mode = 0700;
  return readings;
}

const Plan kPlan = {
    .shm_dir = "/dev/shm/warmpool-1000", .daemon_uid = 1000, .buffers = 1000};

TEST(DirectoryTest, OneThatWillBeMadeIsOkAndSoIsOneThatIsThere) {
  for (const Check& check : CheckDirectory(Fresh(), kPlan)) {
    EXPECT_THAT(check, IsOk());
  }
  for (const Check& check : CheckDirectory(Made(), kPlan)) {
    EXPECT_THAT(check, IsOk());
  }
  DirectoryReadings passable = Made();
  passable.mode = 0711;
  EXPECT_THAT(Named("shm_dir", CheckDirectory(passable, kPlan)), IsOk());
}

TEST(DirectoryTest, AMissingParentIsAllThatIsTold) {
  DirectoryReadings readings = Fresh();
  readings.parent = "/srv/shm";
  readings.parent_exists = false;
  const Checks checks = CheckDirectory(readings, kPlan);
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_THAT(checks[0], Fails("/srv/shm is missing", "mkdir -p /srv/shm"));
}

TEST(DirectoryTest, OneThatTheDaemonWouldRefuseFails) {
  DirectoryReadings readings = Fresh();
  readings.writable = false;
  EXPECT_THAT(Named("shm_dir", CheckDirectory(readings, kPlan)),
              Fails("may not make it", "install -d -m 0700 -o 1000"));
  readings = Made();
  readings.owner = 0;
  EXPECT_THAT(Named("shm_dir", CheckDirectory(readings, kPlan)),
              Fails("belongs to uid 0", "--shm_dir= elsewhere"));
  readings = Made();
  readings.has_foreign_files = true;
  readings.mode = 0755;
  EXPECT_THAT(
      Named("shm_dir", CheckDirectory(readings, kPlan)),
      Fails("none is Warmpool's", "--shm_dir=/dev/shm/warmpool-1000/warmpool"))
      << "to change what is another's would do harm";
  readings = Made();
  readings.mode = 0755;
  EXPECT_THAT(Named("shm_dir", CheckDirectory(readings, kPlan)),
              Fails("mode 0755", "--shm_dir=/dev/shm/warmpool-1000/warmpool"));
  readings.is_marked = true;
  EXPECT_THAT(Named("shm_dir", CheckDirectory(readings, kPlan)),
              Fails("mode 0755", "chmod 0700"));
  readings = Made();
  readings.is_directory = false;
  EXPECT_THAT(Named("shm_dir", CheckDirectory(readings, kPlan)),
              Fails("no directory", "--shm_dir="));
}

TEST(DirectoryTest, AnythingButAWritableTmpfsFails) {
  DirectoryReadings readings = Made();
  readings.is_tmpfs = false;
  readings.filesystem = "ramfs";
  EXPECT_THAT(Named("filesystem", CheckDirectory(readings, kPlan)),
              Fails("not on a tmpfs but on ramfs", "mount -t tmpfs"));
  readings = Made();
  readings.options = "ro,nosuid,rw,size=8g";
  EXPECT_THAT(Named("filesystem", CheckDirectory(readings, kPlan)),
              Fails("ro,nosuid", "mount it writable"));
}

TEST(DirectoryTest, TheSizeOfAContainersShmIsTold) {
  DirectoryReadings readings = Fresh();
  readings.total_bytes = readings.free_bytes = 64 * kMiB;
  EXPECT_THAT(Named("shm_size", CheckDirectory(readings, kPlan)),
              Warns("64 MiB", "docker run --shm-size=4g"));
  Plan plan = kPlan;
  plan.capacity_bytes = kGiB;
  EXPECT_THAT(Named("shm_size", CheckDirectory(readings, plan)),
              Fails("less than the capacity of 1 GiB", "emptyDir"));
}

TEST(DirectoryTest, ACapacityThatDoesNotFitFailsAndOneThatIsTakenWarns) {
  Plan plan = kPlan;
  plan.capacity_bytes = 9 * kGiB;
  EXPECT_THAT(Named("shm_size", CheckDirectory(Fresh(), plan)),
              Fails("8 GiB", "mount -o remount,size=10267656192 /dev/shm"));
  DirectoryReadings readings = Made();
  readings.free_bytes = kGiB;
  plan.capacity_bytes = 2 * kGiB;
  EXPECT_THAT(Named("shm_size", CheckDirectory(readings, plan)),
              Warns("1 GiB free", "mount -o remount,size="));
  // What is not free is the daemon's own.
  plan.daemon_runs = true;
  EXPECT_THAT(Named("shm_size", CheckDirectory(readings, plan)), IsOk());
  readings.total_bytes = 0;
  EXPECT_THAT(Named("shm_size", CheckDirectory(readings, plan)), IsOk());
}

TEST(DirectoryTest, TooFewFilesForThePlannedBuffersFails) {
  Plan plan = kPlan;
  plan.buffers = 10000;
  EXPECT_THAT(Named("files", CheckDirectory(Made(), plan)),
              Fails("10,000 more of 10,000", "remount,nr_inodes="));
  DirectoryReadings unlimited = Made();
  unlimited.total_files = unlimited.free_files = 0;
  EXPECT_THAT(Named("files", CheckDirectory(unlimited, plan)), IsOk());
}

TEST(DirectoryTest, WhatIsThereIsRead) {
  const ScratchDirectory scratch;
  const std::string path = scratch.path() + "/shm";
  const DirectoryReadings before = ReadDirectory(path);
  EXPECT_EQ(before.parent, scratch.path());
  EXPECT_TRUE(before.parent_exists);
  EXPECT_FALSE(before.exists);
  EXPECT_TRUE(before.is_tmpfs);
  EXPECT_NE(before.options, "");
  EXPECT_GT(before.total_files, 0u);
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  const DirectoryReadings after = ReadDirectory(path);
  EXPECT_TRUE(after.exists);
  EXPECT_TRUE(after.is_directory);
  EXPECT_EQ(after.owner, geteuid());
  EXPECT_EQ(after.mode, 0700u);
  std::filesystem::create_symlink(path, path + "-link");
  EXPECT_FALSE(ReadDirectory(path + "-link").is_directory);
  EXPECT_FALSE(ReadDirectory("/proc").is_tmpfs);
  EXPECT_EQ(ReadDirectory("/proc").filesystem, "proc");
}

}  // namespace
}  // namespace warmpool::doctor
