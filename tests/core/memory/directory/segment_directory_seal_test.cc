// Segments that nobody can write to any more.
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"
#include "tests/core/memory/other_process.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

class SegmentDirectorySealTest : public DirectoryFixture {
 protected:
  ~SegmentDirectorySealTest() override { End(std::move(segment_)); }

  absl::Status Seal() { return directory_->Seal(&segment_); }

  mode_t Mode() const {
    struct stat file {};
    stat(file_.c_str(), &file);
    return file.st_mode & 07777;
  }

  std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  Segment segment_ = MakeOrDie(*directory_, 64 * kKiB);
  const std::string file_ = directory_->PathOf(segment_);
};

bool Map(const std::string& path, int open_flags, int protection) {
  const int fd = open(path.c_str(), open_flags);
  const bool mapped =
      mmap(nullptr, 64 * kKiB, protection, MAP_SHARED, fd, 0) != MAP_FAILED;
  close(fd);
  return mapped;
}

TEST_F(SegmentDirectorySealTest, ASealedSegmentHasNoWritePermission) {
  ASSERT_THAT(Seal(), IsOk());
  EXPECT_TRUE(segment_.sealed());
  EXPECT_EQ(Mode(), 0400u);
}

TEST_F(SegmentDirectorySealTest, AnotherUidThatOwnsItCantOpenItForWriting) {
  if (!SegmentDirectory::MayServeOtherUids()) GTEST_SKIP() << "takes root";
  Segment theirs = MakeOrDie(*directory_, 64 * kKiB, 1234);
  ASSERT_THAT(directory_->Seal(&theirs), IsOk());
  const std::string& name = theirs.file_name();
  const int directory_fd = open(path_.c_str(), O_PATH);
  const OtherProcess owner([&] {
    return BecomeUid(1234) && openat(directory_fd, name.c_str(), O_RDWR) < 0 &&
           errno == EACCES && openat(directory_fd, name.c_str(), O_RDONLY) >= 0;
  });
  EXPECT_TRUE(owner.succeeded());
  close(directory_fd);
  End(std::move(theirs));
}

TEST_F(SegmentDirectorySealTest, WhatCantBeSharedIsItsUidsAsBefore) {
  if (!SegmentDirectory::MayServeOtherUids()) GTEST_SKIP() << "takes root";
  Segment theirs = MakeOrDie(*directory_, 64 * kKiB, 1234);
  const std::string path = directory_->PathOf(theirs);
  const Sharing sharing{{1235}, {}};
  const auto owner = [&path] {
    struct stat file {};
    stat(path.c_str(), &file);
    return file.st_uid;
  };
  // The filesystem has no lists; or the daemon can't give the file back.
  calls_.FailNext(Call::kFsetxattr, EOPNOTSUPP, 2);
  EXPECT_THAT(directory_->Seal(&theirs, sharing), testing::Not(IsOk()));
  EXPECT_EQ(owner(), 1234u);
  EXPECT_EQ(directory_->Prove(theirs), Verdict::kFree);

  const int writer = open(path.c_str(), O_RDWR);
  EXPECT_THAT(directory_->Seal(&theirs, sharing),
              StatusIs(absl::StatusCode::kFailedPrecondition));
  close(writer);
  EXPECT_EQ(owner(), 1234u);
  EXPECT_EQ(directory_->Prove(theirs), Verdict::kFree);

  ASSERT_THAT(directory_->Seal(&theirs, sharing), IsOk());
  EXPECT_EQ(owner(), 0u);
  EXPECT_EQ(directory_->Prove(theirs), Verdict::kUnfit) << "not used again";
  End(std::move(theirs));
}

TEST_F(SegmentDirectorySealTest, AWritableMappingElsewhereForbidsIt) {
  const OtherProcess writer(
      [&] { return Map(file_, O_RDWR, PROT_READ | PROT_WRITE); });
  ASSERT_TRUE(writer.succeeded());
  EXPECT_THAT(Seal(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               testing::HasSubstr("mapped for writing")));
  EXPECT_FALSE(segment_.sealed());
  EXPECT_EQ(Mode(), 0600u) << "it was left half sealed";
}

TEST_F(SegmentDirectorySealTest, AMappingThatCouldBeMadeWritableForbidsIt) {
  // mprotect(2) goes by how the file was opened.
  const OtherProcess reader([&] { return Map(file_, O_RDWR, PROT_READ); });
  ASSERT_TRUE(reader.succeeded());
  EXPECT_THAT(Seal(), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(SegmentDirectorySealTest, AnOpenDescriptorForWritingForbidsIt) {
  const int fd = open(file_.c_str(), O_RDWR);
  EXPECT_THAT(Seal(), StatusIs(absl::StatusCode::kFailedPrecondition));
  close(fd);
  EXPECT_THAT(Seal(), IsOk());
}

TEST_F(SegmentDirectorySealTest, AFileWithoutAllItsPagesCantBeSealed) {
  const int fd = open(file_.c_str(), O_RDWR);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096),
            0);
  close(fd);
  EXPECT_THAT(Seal(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               testing::HasSubstr("punched holes")));
  EXPECT_FALSE(segment_.sealed());
  EXPECT_EQ(Mode(), 0600u);
}

TEST_F(SegmentDirectorySealTest, PagesBeyondTheEndHideNoHoleFromOtherUids) {
  if (!SegmentDirectory::MayServeOtherUids()) GTEST_SKIP() << "takes root";
  Segment theirs = MakeOrDie(*directory_, 64 * kKiB, 1234);
  const int fd = open(directory_->PathOf(theirs).c_str(), O_RDWR);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096),
            0);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 64 * kKiB, 4096), 0);
  close(fd);
  EXPECT_THAT(directory_->Seal(&theirs, {{1235}, {}}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       testing::HasSubstr("punched holes")));
  End(std::move(theirs));
}

TEST_F(SegmentDirectorySealTest, ReadersDoNotForbidIt) {
  const int reader = open(file_.c_str(), O_RDONLY);
  EXPECT_THAT(Seal(), IsOk());
  close(reader);
}

TEST_F(SegmentDirectorySealTest, SealingTwiceIsSealingOnce) {
  ASSERT_THAT(Seal(), IsOk());
  EXPECT_THAT(Seal(), IsOk());
  EXPECT_TRUE(segment_.sealed());
}

TEST_F(SegmentDirectorySealTest, AReaderFailsTheProof) {
  ASSERT_THAT(Seal(), IsOk());
  {
    const OtherProcess reader([&] { return Map(file_, O_RDONLY, PROT_READ); });
    ASSERT_TRUE(reader.succeeded());
    EXPECT_EQ(directory_->Prove(segment_), Verdict::kInUse);
  }
  EXPECT_EQ(directory_->Prove(segment_), Verdict::kFree);
}

TEST_F(SegmentDirectorySealTest, AModeThatWasGivenBackFailsTheProof) {
  ASSERT_THAT(Seal(), IsOk());
  ASSERT_EQ(chmod(file_.c_str(), 0600), 0);
  EXPECT_EQ(directory_->Prove(segment_), Verdict::kUnfit);
}

TEST_F(SegmentDirectorySealTest, AnUnsealedSegmentIsAsAnyOther) {
  ASSERT_THAT(Seal(), IsOk());
  EXPECT_EQ(directory_->Unseal(&segment_), Verdict::kFree);
  EXPECT_FALSE(segment_.sealed());
  EXPECT_EQ(Mode(), 0600u);
  EXPECT_EQ(directory_->Prove(segment_), Verdict::kFree);
  EXPECT_TRUE(Map(file_, O_RDWR, PROT_READ | PROT_WRITE));
}

TEST_F(SegmentDirectorySealTest, ASegmentThatCantBeUnsealedIsUnfit) {
  ASSERT_THAT(Seal(), IsOk());
  calls_.FailNext(Call::kChmod, EIO);
  EXPECT_EQ(directory_->Unseal(&segment_), Verdict::kUnfit);
}

TEST_F(SegmentDirectorySealTest, AfterAFailureItIsAsItWas) {
  for (const Call call : {Call::kChmod, Call::kOpen, Call::kFcntl}) {
    calls_.FailNext(call, EIO);
    EXPECT_THAT(Seal(), testing::Not(IsOk())) << SystemCalls::Name(call);
    EXPECT_FALSE(segment_.sealed());
    EXPECT_EQ(Mode(), 0600u);
    EXPECT_EQ(directory_->Prove(segment_), Verdict::kFree);
  }
  EXPECT_THAT(Seal(), IsOk());
}

// Its undoing fails halfway: the mode is another, and the file was not opened
// anew.
TEST_F(SegmentDirectorySealTest, AfterOneThatCouldNotBeUndoneTheNextIsWhole) {
  const int writer = open(file_.c_str(), O_RDWR);
  calls_.FailNth(Call::kOpen, 2, EIO);
  calls_.FailNth(Call::kChmod, 3, EIO);
  EXPECT_THAT(Seal(), testing::Not(IsOk()));
  close(writer);
  ASSERT_THAT(Seal(), IsOk());
  EXPECT_EQ(Mode(), 0400u);
  EXPECT_EQ(directory_->Prove(segment_), Verdict::kFree);
}

TEST_F(SegmentDirectorySealTest, WhatWasToBeSharedIsSealedForItsUidAlone) {
  if (!SegmentDirectory::MayServeOtherUids()) GTEST_SKIP() << "takes root";
  Segment theirs = MakeOrDie(*directory_, 64 * kKiB, 1234);
  const std::string path = directory_->PathOf(theirs);
  const int writer = open(path.c_str(), O_RDWR);
  // The second one is in its undoing.
  calls_.FailNth(Call::kFstat, 2, EIO);
  EXPECT_THAT(directory_->Seal(&theirs, {{1235}, {}}), testing::Not(IsOk()));
  close(writer);
  ASSERT_THAT(directory_->Seal(&theirs), IsOk());
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_uid, 1234u);
  EXPECT_EQ(file.st_mode & 07777, 0400u);
  EXPECT_EQ(directory_->Prove(theirs), Verdict::kFree);
  End(std::move(theirs));
}

TEST_F(SegmentDirectorySealTest, ItWorksWithoutADescriptorOfItsOwn) {
  SegmentDirectory::Options options;
  options.max_open_segments = 0;
  const std::unique_ptr<SegmentDirectory> directory =
      Open(scratch_.Join("few"), &calls_, options).value();
  Segment segment = MakeOrDie(*directory, 64 * kKiB);
  EXPECT_THAT(directory->Seal(&segment), IsOk());
  EXPECT_EQ(directory->Prove(segment), Verdict::kFree);
  EXPECT_EQ(directory->Unseal(&segment), Verdict::kFree);
  End(std::move(segment));
}

TEST_F(SegmentDirectorySealTest, ALaterDaemonFindsItSealed) {
  ASSERT_THAT(Seal(), IsOk());
  Detach(std::move(segment_));
  directory_.reset();
  directory_ = OpenOrDie();
  std::vector<std::string> unknown;
  std::vector<Segment> found =
      directory_->FindLeftovers(SizeClasses(), &unknown).value();
  ASSERT_EQ(found.size(), 1u);
  segment_ = std::move(found[0]);
  EXPECT_TRUE(segment_.sealed());
  EXPECT_EQ(directory_->Prove(segment_), Verdict::kFree);
  EXPECT_EQ(directory_->Unseal(&segment_), Verdict::kFree);
}

}  // namespace
}  // namespace warmpool
