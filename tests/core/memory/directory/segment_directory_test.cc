// The directory itself: who may open it, and what stays behind.
#include "core/memory/directory/segment_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"
#include "tests/core/memory/other_process.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

namespace fs = std::filesystem;

class SegmentDirectoryTest : public DirectoryFixture {
 protected:
  void WriteFile(const std::string& name, size_t bytes) {
    std::ofstream(fs::path(path_) / name) << std::string(bytes, 'x');
  }

  // Ends what was found, for tests that are about finding it.
  std::vector<Segment> Leftovers(SegmentDirectory& directory) {
    return directory.FindLeftovers(SizeClasses(), &unknown_).value();
  }

  std::vector<std::string> unknown_;
};

mode_t ModeOf(const std::string& path) {
  struct stat file;
  return stat(path.c_str(), &file) < 0 ? 0 : file.st_mode & 07777;
}

TEST_F(SegmentDirectoryTest, IsMadeForItsOwnerAlone) {
  // Whatever the umask says.
  const mode_t before = umask(0);
  const auto directory =
      Open(path_, &calls_, {.serves_other_uids = false}).value();
  umask(before);
  EXPECT_EQ(ModeOf(path_), 0700u);
  EXPECT_EQ(ModeOf(path_ + "/private"), 0700u);
  EXPECT_EQ(directory->path(), path_);
}

TEST_F(SegmentDirectoryTest, PathsAreAbsoluteWhateverWasAsked) {
  const fs::path before = fs::current_path();
  fs::current_path(scratch_.path());
  {
    const auto directory = Open("pool", &calls_).value();
    EXPECT_EQ(directory->path(), path_);
  }
  fs::current_path(before);
}

TEST_F(SegmentDirectoryTest, GoesWithItsTenantWhenItIsEmpty) {
  OpenOrDie().reset();
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SegmentDirectoryTest, StaysWhileASegmentIsInIt) {
  auto directory = OpenOrDie();
  Segment segment = MakeOrDie(*directory, 4096);
  Detach(std::move(segment));
  directory.reset();
  EXPECT_EQ(CountSegmentFiles(path_), 1u);
  EXPECT_FALSE(fs::exists(fs::path(path_) / "daemon.lock"));
}

TEST_F(SegmentDirectoryTest, AdvisesToLeaveADirectoryOfAnotherModeAlone) {
  for (const bool serves_others : {false, true}) {
    for (const mode_t mode : {0755, 0710, 01777, 02711}) {
      mkdir(path_.c_str(), 0700);
      chmod(path_.c_str(), mode);
      const SegmentDirectory::Options options = {.serves_other_uids =
                                                     serves_others};
      EXPECT_THAT(Open(path_, &calls_, options),
                  StatusIs(absl::StatusCode::kFailedPrecondition,
                           AllOf(HasSubstr("--shm_dir=" + path_ + "/warmpool"),
                                 Not(HasSubstr("chmod")))));
      WriteFile("passwd", 1);
      EXPECT_THAT(
          Open(path_, &calls_, options),
          StatusIs(absl::StatusCode::kFailedPrecondition,
                   AllOf(HasSubstr(path_ + " is not Warmpool's"),
                         HasSubstr("--shm_dir"), Not(HasSubstr("chmod")))));
      EXPECT_EQ(ModeOf(path_), mode) << "nobody asked for it to be changed";
      fs::remove_all(path_);
    }
  }
}

// What a daemon leaves that was killed.
class LeftDirectoryTest : public SegmentDirectoryTest {
 protected:
  void LeaveBehind(bool serves_others) {
    OtherProcess daemon([&] {
      return Open(path_, &calls_, {.serves_other_uids = serves_others})
          .value()
          .release();
    });
    ASSERT_TRUE(daemon.succeeded());
    daemon.Kill();
  }
};

TEST_F(LeftDirectoryTest, OneThatServedOthersIsNotTakenFromThem) {
  LeaveBehind(/*serves_others=*/true);
  EXPECT_THAT(
      Open(path_, &calls_, {.serves_other_uids = false}),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("serves other users"), HasSubstr("--allow_uid"),
                     Not(HasSubstr("chmod")))));
  EXPECT_EQ(ModeOf(path_), 0711u);
}

TEST_F(LeftDirectoryTest, OneThatServedNobodyElseTellsHowItCan) {
  LeaveBehind(/*serves_others=*/false);
  EXPECT_THAT(Open(path_, &calls_, {.serves_other_uids = true}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("chmod 711 " + path_)));
}

TEST_F(LeftDirectoryTest, ItsOwnModeIsToBeSetBack) {
  LeaveBehind(/*serves_others=*/false);
  chmod(path_.c_str(), 0755);
  EXPECT_THAT(Open(path_, &calls_, {.serves_other_uids = false}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("chmod 700 " + path_)));
  chmod(path_.c_str(), 0700);
  const std::string inner = path_ + "/private";
  chmod(inner.c_str(), 0711);
  EXPECT_THAT(
      Open(path_, &calls_, {.serves_other_uids = false}),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(inner)));
}

TEST_F(SegmentDirectoryTest, APrivateDirectoryThatNoDaemonMadeIsNoneOfItsOwn) {
  const std::string inner = path_ + "/private";
  mkdir(path_.c_str(), 0700);
  mkdir(inner.c_str(), 0700);
  chmod(inner.c_str(), 0755);
  EXPECT_THAT(Open(path_, &calls_, {.serves_other_uids = false}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(inner), HasSubstr("--shm_dir"),
                             Not(HasSubstr("chmod")))));
  EXPECT_FALSE(fs::exists(path_ + "/daemon.lock")) << "the lock was given up";
}

TEST_F(SegmentDirectoryTest, RefusesASymbolicLink) {
  // In /dev/shm anybody can lay one that leads a daemon astray.
  const std::string elsewhere = scratch_.Join("elsewhere");
  mkdir(elsewhere.c_str(), 0700);
  fs::create_symlink(elsewhere, path_);
  EXPECT_THAT(Open(path_, &calls_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(path_), HasSubstr("symbolic link"))));
  EXPECT_TRUE(fs::is_empty(elsewhere));
}

TEST_F(SegmentDirectoryTest, RefusesWhereTheParentIsMissing) {
  const std::string path = scratch_.Join("missing/pool");
  EXPECT_THAT(Open(path, &calls_),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr(path), HasSubstr("parent"))));
}

TEST_F(SegmentDirectoryTest, RefusesWhatIsNoDirectory) {
  std::ofstream(path_) << "a file";
  EXPECT_THAT(Open(path_, &calls_), Not(IsOk()));
}

TEST_F(SegmentDirectoryTest, ASecondDaemonIsToldWhoHasIt) {
  OtherProcess daemon([&] {
    return SegmentDirectory::Open(path_, "unix:/tmp/first.sock", &calls_,
                                  &KernelRandom::Get())
        .value()
        .release();
  });
  ASSERT_TRUE(daemon.succeeded());
  EXPECT_THAT(Open(path_, &calls_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(path_),
                             HasSubstr("pid " + std::to_string(daemon.pid())),
                             HasSubstr(absl::StrCat("uid ", geteuid())),
                             HasSubstr("unix:/tmp/first.sock"))));
  // The refusal took nothing away from the first.
  EXPECT_TRUE(fs::exists(fs::path(path_) / "daemon.lock"));
  EXPECT_THAT(Open(path_, &calls_), Not(IsOk()));
}

TEST_F(SegmentDirectoryTest, WhoHasItIsToldWhateverElseIsWrong) {
  OtherProcess daemon([&] {
    return Open(path_, &calls_, {.serves_other_uids = true}).value().release();
  });
  ASSERT_TRUE(daemon.succeeded());
  EXPECT_THAT(
      Open(path_, &calls_, {.serves_other_uids = false}),
      StatusIs(
          absl::StatusCode::kFailedPrecondition,
          AllOf(HasSubstr("in use by pid " + std::to_string(daemon.pid())),
                HasSubstr("stop that daemon first"), Not(HasSubstr("chmod")))));
}

// A directory of another mode is looked at before it is refused.
TEST_F(SegmentDirectoryTest, IsNotHeldUpByAPipeInPlaceOfTheLock) {
  mkdir(path_.c_str(), 0755);
  chmod(path_.c_str(), 0755);
  ASSERT_EQ(mkfifo((path_ + "/daemon.lock").c_str(), 0600), 0);
  EXPECT_THAT(Open(path_, &calls_),
              StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(SegmentDirectoryTest, ALockFileLeadsToNoOtherFile) {
  mkdir(path_.c_str(), 0755);
  chmod(path_.c_str(), 0755);
  fs::create_directory(scratch_.Join("evil"));
  std::ofstream(scratch_.Join("evil/comm")) << "secret\n";
  const std::string lock = path_ + "/daemon.lock";
  std::ofstream(lock) << "pid ../" << scratch_.Join("evil").substr(1)
                      << ", \x1b[2Jserving\n";
  const int fd = open(lock.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_THAT(Open(path_, &calls_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("in use"), Not(HasSubstr("secret")),
                             Not(HasSubstr("\x1b")))));
  close(fd);
}

TEST_F(SegmentDirectoryTest, ADeadDaemonsLockIsNoHindrance) {
  OtherProcess daemon([&] { return OpenOrDie().release() != nullptr; });
  ASSERT_TRUE(daemon.succeeded());
  daemon.Kill();
  ASSERT_TRUE(fs::exists(fs::path(path_) / "daemon.lock"));
  EXPECT_THAT(Open(path_, &calls_), IsOk());
}

TEST_F(SegmentDirectoryTest, IgnoresTheSignalThatAProofMayBring) {
  signal(SIGIO, SIG_DFL);
  const auto directory = OpenOrDie();
  struct sigaction action;
  sigaction(SIGIO, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_IGN);
}

TEST_F(SegmentDirectoryTest, TellsWhatItsFilesystemHasFree) {
  const auto directory = OpenOrDie();
  const uint64_t free = directory->FreeBytes().value();
  EXPECT_GT(free, 0u);
  calls_.FailNext(SystemCalls::Call::kFstatfs, EINTR);
  EXPECT_THAT(directory->FreeBytes(), IsOk());
  calls_.FailNext(SystemCalls::Call::kFstatfs, EIO);
  EXPECT_THAT(directory->FreeBytes(), Not(IsOk()));
}

TEST_F(SegmentDirectoryTest, FindsTheSegmentsOfAnEarlierDaemon) {
  std::string name;
  {
    const auto earlier = OpenOrDie();
    Segment segment = MakeOrDie(*earlier, 64 * kKiB);
    name = segment.file_name();
    Detach(std::move(segment));
  }
  const auto directory = OpenOrDie();
  std::vector<Segment> leftovers = Leftovers(*directory);
  ASSERT_EQ(leftovers.size(), 1u);
  EXPECT_THAT(unknown_, ElementsAre());
  EXPECT_EQ(leftovers[0].file_name(), name);
  EXPECT_EQ(leftovers[0].bytes(), 64 * kKiB);
  EXPECT_EQ(leftovers[0].size_class(), SizeClasses().For(64 * kKiB).value());
  EXPECT_TRUE(leftovers[0].was_opened());
  End(std::move(leftovers[0]));
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_F(SegmentDirectoryTest, ALeftoverHasTheBytesThatItTakesWhateverItsSize) {
  const auto directory = OpenOrDie();
  // One that its client truncated, and one that was never allocated.
  Segment grown = MakeOrDie(*directory, 64 * kKiB);
  ASSERT_EQ(truncate(directory->PathOf(grown).c_str(), 1 << 20), 0);
  Detach(std::move(grown));
  WriteFile(RandomId{1, 2}.ToHex() + ".seg", 0);

  std::vector<Segment> leftovers = Leftovers(*directory);
  std::vector<size_t> bytes;
  for (Segment& segment : leftovers) {
    bytes.push_back(segment.bytes());
    End(std::move(segment));
  }
  EXPECT_THAT(bytes, UnorderedElementsAre(0, 64 * kKiB));
}

TEST_F(SegmentDirectoryTest, ALackOfDescriptorsIsNotTakenForAbsence) {
  const auto directory = OpenOrDie();
  for (uint64_t i = 1; i <= 2; ++i) {
    WriteFile(RandomId{1, i}.ToHex() + ".seg", 4096);
  }
  calls_.FailNth(SystemCalls::Call::kOpen, 2, EMFILE);
  EXPECT_FALSE(directory->FindLeftovers(SizeClasses(), &unknown_).ok());
  // What was opened before is closed, and still there.
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_EQ(CountSegmentFiles(path_), 2u);
}

}  // namespace
}  // namespace warmpool
