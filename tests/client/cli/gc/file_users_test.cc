#include "client/cli/gc/file_users.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/memory/fake_cgroups.h"
#include "tests/core/memory/other_process.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool::gc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class FileUsersTest : public ::testing::Test {
 protected:
  FileUsersTest() : path_(scratch_.Join("file")) {
    std::ofstream(path_) << std::string(5000, 'x');
    struct stat file;
    stat(path_.c_str(), &file);
    id_ = {file.st_dev, file.st_ino};
  }

  int Open() const { return open(path_.c_str(), O_RDONLY); }
  bool Map(int fd) const {
    return mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED;
  }
  FileUsers Find() const { return FindFileUsers({id_}, scratch_.path()); }

  const ScratchDirectory scratch_;
  const std::string path_;
  FileId id_;
};

TEST_F(FileUsersTest, OneThatNobodyHasHasNoUsers) {
  // Not this process either, which is the one that looks.
  const int fd = Open();
  EXPECT_THAT(Find().users, IsEmpty());
  close(fd);
}

TEST_F(FileUsersTest, WhoHasItOpenIsFound) {
  const OtherProcess other([this] { return Open() >= 0; });
  const FileUsers found = Find();
  ASSERT_EQ(found.users.size(), 1u);
  EXPECT_EQ(found.users[0].pid, other.pid());
  EXPECT_EQ(found.users[0].uid, geteuid());
  EXPECT_EQ(found.users[0].command, "file_users_test");
  EXPECT_THAT(found.users[0].open, ElementsAre(id_));
  EXPECT_THAT(found.users[0].mapped, IsEmpty());
}

TEST_F(FileUsersTest, WhoHasItMappedAndClosedIsFound) {
  const OtherProcess other([this] {
    const int fd = Open();
    return Map(fd) && close(fd) == 0;
  });
  const FileUsers found = Find();
  ASSERT_EQ(found.users.size(), 1u);
  EXPECT_THAT(found.users[0].mapped, ElementsAre(id_));
  EXPECT_THAT(found.users[0].open, IsEmpty());
}

TEST_F(FileUsersTest, WhatWasRemovedIsFoundByItsUsers) {
  const OtherProcess mapper([this] {
    const int fd = Open();
    return Map(fd) && close(fd) == 0;
  });
  const OtherProcess opener([this] { return Open() >= 0; });
  std::filesystem::remove(path_);
  const FileUsers found = FindFileUsers({}, scratch_.path());
  ASSERT_EQ(found.removed.size(), 1u);
  EXPECT_EQ(found.removed.begin()->first, id_);
  EXPECT_EQ(found.removed.begin()->second.path, path_);
  EXPECT_EQ(found.removed.begin()->second.bytes, 8192u);
  EXPECT_EQ(found.users.size(), 2u);
  // Those of another directory are not of this one.
  EXPECT_THAT(FindFileUsers({}, scratch_.path() + "x").users, IsEmpty());
}

TEST_F(FileUsersTest, WhomItMayNotLookIntoIsCounted) {
  if (geteuid() != 0) {
    // Processes of root there are; one that could be looked into would be this
    // user's own.
    EXPECT_GT(Find().unseen[0], 0u);
    return;
  }
  const OtherProcess looker([this] {
    if (!BecomeUid(1234)) return false;
    const FileUsers found = Find();
    return found.unseen.contains(0) && found.unseen.at(0) > 0;
  });
  EXPECT_TRUE(looker.succeeded());
}

TEST(FakeProcTest, ThreadsOfTheKernelAndThingsThatAreNoProcessesAreNotCounted) {
  FakeCgroups files("/");
  files.Write("/proc/2/stat",
              "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0\n");
  files.Write("/proc/meminfo", "MemTotal: 1 kB\n");
  const FileUsers found = FindFileUsers({}, "/dev/shm/x", files.root());
  EXPECT_THAT(found.users, IsEmpty());
  EXPECT_THAT(found.unseen, IsEmpty());
}

TEST(FakeProcTest, MappingsAreReadByDeviceAndInode) {
  FakeCgroups files("/");
  files.Write("/proc/71/stat", "71 (a) b) S 0 0 0 0 -1 4194304 0\n");
  files.Write("/proc/71/comm", "a) b\n");
  files.Write("/proc/71/maps",
              "7f0000000000-7f0000001000 r--p 00000000 fd:01 77   /lib/x.so\n"
              "7f0000002000-7f0000004000 rw-s 00000000 00:1a 42   /a b/x.seg\n"
              "7f0000005000-7f0000006000 rw-p 00000000 00:00 0 \n"
              "not a mapping\n");
  std::filesystem::create_directories(files.root() + "/proc/71/fd");
  const FileUsers found = FindFileUsers({{0x1a, 42}}, "/a b", files.root());
  ASSERT_EQ(found.users.size(), 1u);
  EXPECT_EQ(found.users[0].pid, 71);
  EXPECT_EQ(found.users[0].command, "a) b");
  EXPECT_THAT(found.users[0].mapped, ElementsAre(FileId{0x1a, 42}));
}

}  // namespace
}  // namespace warmpool::gc
