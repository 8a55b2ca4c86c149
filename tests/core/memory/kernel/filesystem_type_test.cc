// Directories that are on anything but a tmpfs, and odd ones that are.
#include "core/memory/kernel/filesystem_type.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"
#include "tests/core/memory/small_tmpfs.h"

namespace warmpool {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class FilesystemTypeTest : public DirectoryFixture {
 protected:
  // Refused, and left as it was.
  void ExpectRefused(const std::string& parent, const std::string& type) {
    const std::string path = parent + "/pool";
    EXPECT_THAT(
        Open(path, &calls_),
        StatusIs(absl::StatusCode::kFailedPrecondition,
                 AllOf(HasSubstr(path), HasSubstr("type " + type),
                       HasSubstr("only a tmpfs"), HasSubstr("--shm_dir"))));
    EXPECT_FALSE(fs::exists(path));
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
    EXPECT_THAT(Open(path, &calls_, {.serves_other_uids = false}),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         HasSubstr("type " + type)));
    EXPECT_TRUE(fs::is_empty(path));
    rmdir(path.c_str());
  }
};

TEST_F(FilesystemTypeTest, ADiskIsRefused) {
  const char* const disk = std::getenv("TEST_TMPDIR");
  ASSERT_NE(disk, nullptr);
  const int fd = open(disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct statfs filesystem;
  ASSERT_EQ(fstatfs(fd, &filesystem), 0);
  const std::string type = FilesystemTypeOf(fd);
  close(fd);
  if (filesystem.f_type == TMPFS_MAGIC) GTEST_SKIP() << "tests run in memory";
  EXPECT_NE(type, "unknown");
  ExpectRefused(disk, type);
}

TEST_F(FilesystemTypeTest, ARamfsIsRefused) {
  const SmallTmpfs filesystem("", "ramfs");
  if (!filesystem.problem().empty()) GTEST_SKIP() << filesystem.problem();
  ExpectRefused(filesystem.Join(""), "ramfs");
}

TEST_F(FilesystemTypeTest, AHugetlbfsIsRefused) {
  const SmallTmpfs filesystem("", "hugetlbfs");
  if (!filesystem.problem().empty()) GTEST_SKIP() << filesystem.problem();
  ExpectRefused(filesystem.Join(""), "hugetlbfs");
}

TEST_F(FilesystemTypeTest, AnOverlayIsRefusedEvenOneOverATmpfs) {
  const std::string lower = scratch_.Join("lower"),
                    upper = scratch_.Join("upper"),
                    work = scratch_.Join("work");
  for (const std::string& path : {lower, upper, work}) {
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  }
  const SmallTmpfs filesystem(
      "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work,
      "overlay");
  if (!filesystem.problem().empty()) GTEST_SKIP() << filesystem.problem();
  ExpectRefused(filesystem.Join(""), "overlay");
}

TEST_F(FilesystemTypeTest, AReadOnlyTmpfsIsRefused) {
  const SmallTmpfs filesystem("size=1m");
  if (!filesystem.problem().empty()) GTEST_SKIP() << filesystem.problem();
  const std::string path = filesystem.Join("pool");
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
  ASSERT_EQ(mount("none", filesystem.Join("").c_str(), nullptr,
                  MS_REMOUNT | MS_RDONLY, nullptr),
            0);
  for (const std::string& name : {path, filesystem.Join("missing")}) {
    EXPECT_THAT(Open(name, &calls_, {.serves_other_uids = false}),
                StatusIs(absl::StatusCode::kFailedPrecondition,
                         AllOf(HasSubstr(name), HasSubstr("read-only"))));
  }
}

TEST_F(FilesystemTypeTest, ATmpfsThatForbidsProgramsAndDevicesIsServed) {
  const SmallTmpfs filesystem("size=8m");
  if (!filesystem.problem().empty()) GTEST_SKIP() << filesystem.problem();
  ASSERT_EQ(mount("none", filesystem.Join("").c_str(), nullptr,
                  MS_REMOUNT | MS_NOEXEC | MS_NOSUID | MS_NODEV, nullptr),
            0);
  const auto directory = Open(filesystem.Join("pool"), &calls_);
  ASSERT_THAT(directory, IsOk());
  End(MakeOrDie(**directory, 4096));
}

TEST_F(FilesystemTypeTest, AnyNameOfADirectoryWillDo) {
  for (const std::string& name :
       {std::string("with spaces"), std::string("with\nnewline"),
        std::string(200, 'x')}) {
    const auto directory = Open(scratch_.Join(name), &calls_);
    ASSERT_THAT(directory, IsOk()) << name;
    Segment segment = MakeOrDie(**directory, 4096);
    EXPECT_TRUE(fs::exists((*directory)->PathOf(segment)));
    EXPECT_EQ((*directory)->Prove(segment), Verdict::kFree);
    End(std::move(segment));
  }
}

TEST_F(FilesystemTypeTest, ARemovedDirectoryIsToldAsWhatItIs) {
  const auto directory = OpenOrDie();
  fs::remove_all(path_);
  Segment segment;
  EXPECT_THAT(Make(*directory, 4096, &segment),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(path_), HasSubstr("removed"),
                             HasSubstr("restart the daemon"))));
}

}  // namespace
}  // namespace warmpool
