// Files that are not as the daemon made them: strays, what a client keeps shut,
// and directories that were never Warmpool's.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "core/memory/directory/segment_directory.h"
#include "core/memory/directory/segment_name.h"
#include "gmock/gmock-more-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::UnorderedElementsAre;

namespace fs = std::filesystem;

class StrayTest : public DirectoryFixture {
 protected:
  std::string Write(const std::string& name, size_t bytes = 10) {
    const std::string path = path_ + "/" + name;
    std::ofstream(path) << std::string(bytes, 'x');
    return path;
  }

  // Which must be one.
  Segment FindOne() {
    std::vector<Segment> found = Find();
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? Segment() : std::move(found[0]);
  }
  std::vector<Segment> Find() {
    unknown_.clear();
    std::vector<Segment> found =
        directory_->FindLeftovers(SizeClasses(), &unknown_).value();
    directory_->SetAsideStrays(&found, &unknown_);
    return found;
  }

  std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  std::vector<std::string> unknown_;
};

TEST_F(StrayTest, AnUnknownFileIsSetAsideUnderANameThatTellsItsOwn) {
  const std::string path = Write("my notes\n.txt", 5000);
  Segment stray = FindOne();
  EXPECT_THAT(unknown_, IsEmpty());
  EXPECT_FALSE(fs::exists(path));
  EXPECT_THAT(stray.file_name(), MatchesRegex("my_notes_.txt-[0-9a-f]+.stray"));
  EXPECT_TRUE(stray.set_aside());
  EXPECT_EQ(stray.owner(), geteuid());
  EXPECT_EQ(stray.bytes(), AllocatedBytes(path_ + "/private"));
  EXPECT_GE(stray.bytes(), 5000u);
  EXPECT_EQ(directory_->Prove(stray), Verdict::kUnfit);
  End(std::move(stray));
  directory_.reset();
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(StrayTest, OneThatSomebodyHasIsNotProvenFree) {
  const std::string path = Write("notes.txt");
  for (const int flags : {O_RDONLY, O_RDWR}) {
    const int fd = open((fs::exists(path) ? path : Write("again")).c_str(),
                        flags | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    Segment stray = FindOne();
    EXPECT_EQ(directory_->Prove(stray), Verdict::kInUse);
    close(fd);
    EXPECT_EQ(directory_->Prove(stray), Verdict::kUnfit);
    End(std::move(stray));
  }
}

TEST_F(StrayTest, ItsEndTakesNothingFromWhoHasAnotherNameForIt) {
  const std::string path = Write("notes.txt", 100);
  const std::string other = scratch_.Join("other");
  ASSERT_EQ(link(path.c_str(), other.c_str()), 0);
  Segment stray = FindOne();
  EXPECT_EQ(directory_->Prove(stray), Verdict::kUnfit);
  UnmapBatch batch(&calls_, {UnmapBatch::Drain::kInline});
  batch.Add(std::move(stray), absl::UnixEpoch(), /*proven_unused=*/true);
  EXPECT_EQ(fs::file_size(other), 100u);
}

TEST_F(StrayTest, ALaterDaemonFindsItInQuarantine) {
  Write("notes.txt");
  Segment stray = FindOne();
  const std::string name = stray.file_name();
  Detach(std::move(stray));
  directory_.reset();
  directory_ = OpenOrDie();
  stray = FindOne();
  EXPECT_EQ(stray.file_name(), name);
  EXPECT_TRUE(stray.set_aside());
  EXPECT_EQ(directory_->Prove(stray), Verdict::kUnfit);
  End(std::move(stray));
}

TEST_F(StrayTest, OneThatVanishedMeanwhileIsProvenByThat) {
  Write("notes.txt");
  Segment stray = FindOne();
  ASSERT_EQ(unlink(directory_->PathOf(stray).c_str()), 0);
  EXPECT_EQ(directory_->Prove(stray), Verdict::kUnfit);
  End(std::move(stray));
}

TEST_F(StrayTest, WhatIsNoRegularFileIsNamedAndLeftAlone) {
  const std::string link_name = RandomId{3, 4}.ToHex() + ".seg";
  const std::string fifo_name = RandomId{5, 6}.ToHex() + ".seg";
  fs::create_symlink("/etc/passwd", path_ + "/" + link_name);
  fs::create_symlink("/etc/passwd", path_ + "/link");
  fs::create_directory(path_ + "/directory");
  ASSERT_EQ(mkfifo((path_ + "/fifo").c_str(), 0600), 0);
  ASSERT_EQ(mkfifo((path_ + "/" + fifo_name).c_str(), 0600), 0);
  EXPECT_THAT(Find(), IsEmpty());
  EXPECT_THAT(unknown_, UnorderedElementsAre("link", "directory", "fifo",
                                             link_name, fifo_name));
  for (const std::string& name : unknown_) {
    EXPECT_TRUE(fs::exists(fs::symlink_status(path_ + "/" + name))) << name;
  }
  EXPECT_EQ(calls_.Count(Call::kRename), 0u);
}

TEST_F(StrayTest, OneThatCannotBeMovedIsNamed) {
  Write("notes.txt");
  calls_.FailNext(Call::kRename, EPERM);
  EXPECT_THAT(Find(), IsEmpty());
  EXPECT_THAT(unknown_, ElementsAre("notes.txt"));
  calls_.FailNext(Call::kRename, EINTR);
  End(FindOne());
}

TEST_F(StrayTest, ASegmentThatAClientHasALeaseOnDoesNotHoldTheDaemonUp) {
  // Opening it would wait for /proc/sys/fs/lease-break-time: 45 seconds.
  Segment segment = MakeOrDie(*directory_, 64 * kKiB);
  const std::string path = directory_->PathOf(segment);
  Detach(std::move(segment));
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
  segment = FindOne();
  EXPECT_EQ(directory_->PathOf(segment), path) << "it may be under a lease";
  EXPECT_FALSE(segment.was_opened());
  EXPECT_EQ(segment.bytes(), 64 * kKiB);
  EXPECT_EQ(directory_->Prove(segment), Verdict::kInUse);
  ASSERT_THAT(directory_->SetAside(&segment), IsOk());
  EXPECT_EQ(directory_->Prove(segment), Verdict::kInUse);
  close(fd);
  EXPECT_EQ(directory_->Prove(segment), Verdict::kUnfit) << "it was never open";
  End(std::move(segment));
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_F(StrayTest, ASegmentThatCannotBeOpenedIsFoundNevertheless) {
  for (const bool set_aside : {false, true}) {
    Segment segment = MakeOrDie(*directory_, 64 * kKiB);
    if (set_aside) {
      ASSERT_THAT(directory_->SetAside(&segment), IsOk());
    }
    Detach(std::move(segment));
    calls_.FailNext(Call::kOpen, EACCES);
    segment = FindOne();
    EXPECT_FALSE(segment.was_opened());
    EXPECT_EQ(segment.set_aside(), set_aside);
    calls_.FailNext(Call::kOpen, EACCES);
    EXPECT_EQ(directory_->Prove(segment), Verdict::kInUse);
    End(std::move(segment));
  }
}

TEST_F(StrayTest, ADirectoryThatWasNeverWarmpoolsIsRefusedAndLeftAsItIs) {
  for (const char* const name : {"thesis.tex", ".profile", "photos/"}) {
    const std::string home = scratch_.Join("home");
    mkdir(home.c_str(), 0700);
    if (SegmentDirectory::MayServeOtherUids()) chmod(home.c_str(), 0711);
    mkdir((home + "/private").c_str(), 0700);
    std::ofstream(home + "/private/letter") << "dear";
    if (std::string(name) == "photos/") {
      mkdir((home + "/photos").c_str(), 0700);
    } else {
      std::ofstream(home + "/" + name) << "years of work";
    }
    // Nor does a first attempt pave the way for a second.
    for (int attempt = 0; attempt < 2; ++attempt) {
      EXPECT_THAT(
          Open(home, &calls_),
          StatusIs(absl::StatusCode::kFailedPrecondition,
                   AllOf(HasSubstr(home), HasSubstr("no daemon made"))));
    }
    EXPECT_TRUE(fs::exists(home + "/" + name));
    EXPECT_TRUE(fs::exists(home + "/private/letter"));
    EXPECT_FALSE(fs::exists(home + "/daemon.lock"));
    fs::remove_all(home);
  }
}

TEST_F(StrayTest, ADirectoryStaysWarmpoolsWhileSomethingIsInIt) {
  Write("notes.txt");
  directory_.reset();
  EXPECT_TRUE(fs::exists(path_ + "/notes.txt"));
  directory_ = OpenOrDie();
  End(FindOne());
  directory_.reset();
  EXPECT_FALSE(fs::exists(path_));
}

TEST(SegmentNameTest, AStraysNameIsSafeAndShort) {
  const std::string name =
      StrayName(std::string(255, '\xff') + "x", RandomId{1, 2});
  EXPECT_LT(name.size(), 200u);
  EXPECT_TRUE(IsStrayName(name));
  EXPECT_FALSE(IsSegmentName(name));
  EXPECT_EQ(name.find_first_not_of("_-0123456789abcdef.stray"),
            std::string::npos);
  EXPECT_TRUE(IsSegmentName(SegmentName(RandomId{1, 2})));
}

}  // namespace
}  // namespace warmpool
