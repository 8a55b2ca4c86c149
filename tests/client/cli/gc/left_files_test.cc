#include "client/cli/gc/left_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "core/memory/directory/directory_lock.h"
#include "gtest/gtest.h"
#include "tests/core/memory/other_process.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool::gc {
namespace {

constexpr char kSegment[] = "0123456789abcdef0123456789abcdef.seg";

class LeftFilesTest : public ::testing::Test {
 protected:
  void Put(const std::string& name) {
    std::ofstream(scratch_.Join(name)) << std::string(5000, 'x');
  }

  const ScratchDirectory scratch_;
};

TEST_F(LeftFilesTest, EachFileHasItsKind) {
  ASSERT_EQ(mkdir(scratch_.Join("private").c_str(), 0700), 0);
  Put(kSegment);
  Put("notes.txt");
  Put("private/journal");
  Put(std::string("private/") + kSegment);
  const auto directory = ReadLeftDirectory(scratch_.path());
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_EQ(directory->tenant, std::nullopt);
  ASSERT_EQ(directory->files.size(), 4u);
  const LeftFile& segment = directory->files[0];
  EXPECT_EQ(segment.name, kSegment);
  EXPECT_EQ(segment.kind, LeftFile::Kind::kSegment);
  EXPECT_EQ(segment.uid, geteuid());
  EXPECT_EQ(segment.bytes, 8192u);
  EXPECT_EQ(directory->files[1].kind, LeftFile::Kind::kUnknown);
  EXPECT_EQ(directory->files[2].name, std::string("private/") + kSegment);
  EXPECT_EQ(directory->files[2].kind, LeftFile::Kind::kQuarantined);
  EXPECT_EQ(directory->files[3].kind, LeftFile::Kind::kOwn);
}

TEST_F(LeftFilesTest, WhoHasTheLockIsToldAndKeepsIt) {
  const auto lock = [this] {
    const int fd = open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY);
    return LockDirectory(fd, scratch_.path(), "serving unix:/x").ok();
  };
  OtherProcess daemon(lock);
  ASSERT_TRUE(daemon.succeeded());
  const auto held = ReadLeftDirectory(scratch_.path());
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_EQ(held->tenant, "pid " + std::to_string(daemon.pid()) +
                              " (left_files_test, uid " +
                              std::to_string(geteuid()) + "), serving unix:/x");
  EXPECT_EQ(ReadLeftDirectory(scratch_.path())->tenant, held->tenant);
  daemon.Kill();
  const auto left = ReadLeftDirectory(scratch_.path());
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(left->tenant, std::nullopt);
  // The lock file is no leftover of a client's.
  ASSERT_EQ(left->files.size(), 1u);
  EXPECT_EQ(left->files[0].kind, LeftFile::Kind::kOwn);
  // The next daemon can have it.
  EXPECT_TRUE(lock());
}

TEST_F(LeftFilesTest, AMissingDirectoryAndALinkAreErrors) {
  EXPECT_TRUE(absl::IsNotFound(ReadLeftDirectory(scratch_.Join("x")).status()));
  ASSERT_EQ(symlink("/tmp", scratch_.Join("link").c_str()), 0);
  EXPECT_FALSE(ReadLeftDirectory(scratch_.Join("link")).ok());
}

}  // namespace
}  // namespace warmpool::gc
