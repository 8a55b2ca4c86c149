// The proof that a segment may go to a new holder.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"
#include "tests/core/memory/other_process.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

class SegmentDirectoryProveTest : public DirectoryFixture {
 protected:
  ~SegmentDirectoryProveTest() override { End(std::move(segment_)); }

  Verdict Prove() { return directory_->Prove(segment_); }

  // Right after a death the kernel may hold on for a moment.
  bool BecomesFree() {
    for (int i = 0; i < 1'000'000; ++i) {
      if (Prove() == Verdict::kFree) return true;
    }
    return false;
  }

  const std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  Segment segment_ = MakeOrDie(*directory_, 64 * kKiB);
  const std::string file_ = directory_->PathOf(segment_);
};

// Maps the file at `path` and closes it.
bool MapAndClose(const std::string& path, int open_flags, int protection,
                 int map_flags) {
  const int fd = open(path.c_str(), open_flags);
  const bool mapped =
      mmap(nullptr, 64 * kKiB, protection, map_flags, fd, 0) != MAP_FAILED;
  close(fd);
  return mapped;
}

TEST_F(SegmentDirectoryProveTest, ASegmentThatNobodyHasIsFree) {
  EXPECT_EQ(Prove(), Verdict::kFree);
  EXPECT_EQ(Prove(), Verdict::kFree) << "a proof leaves no trace";
}

TEST_F(SegmentDirectoryProveTest, AWholeProofDoesNotHinderTheNextOpener) {
  ASSERT_EQ(Prove(), Verdict::kFree);
  const int fd = open(file_.c_str(), O_RDWR | O_NONBLOCK);
  EXPECT_GE(fd, 0) << "the kernel's lease was not given up";
  close(fd);
}

TEST_F(SegmentDirectoryProveTest, ASegmentThatSomebodyHasOpenIsInUse) {
  for (const int flags : {O_RDONLY, O_WRONLY, O_RDWR}) {
    OtherProcess other([&] { return open(file_.c_str(), flags) >= 0; });
    ASSERT_TRUE(other.succeeded());
    EXPECT_EQ(Prove(), Verdict::kInUse);
    other.Kill();
    EXPECT_TRUE(BecomesFree());
  }
}

TEST_F(SegmentDirectoryProveTest, ASegmentThatSomebodyHasMappedIsInUse) {
  {
    OtherProcess other([&] {
      return MapAndClose(file_, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
    });
    ASSERT_TRUE(other.succeeded());
    EXPECT_EQ(Prove(), Verdict::kInUse);
  }
  {
    OtherProcess other(
        [&] { return MapAndClose(file_, O_RDONLY, PROT_READ, MAP_PRIVATE); });
    ASSERT_TRUE(other.succeeded());
    EXPECT_EQ(Prove(), Verdict::kInUse);
  }
  EXPECT_TRUE(BecomesFree());
}

TEST_F(SegmentDirectoryProveTest, ASegmentInheritedByAHoldersChildIsInUse) {
  // Where the holder tells the pid of its child.
  pid_t* const child =
      static_cast<pid_t*>(mmap(nullptr, sizeof(pid_t), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  OtherProcess holder([&] {
    if (!MapAndClose(file_, O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED)) {
      return false;
    }
    const pid_t forked = fork();
    if (forked == 0) {
      for (;;) pause();
    }
    *child = forked;
    return forked > 0;
  });
  ASSERT_TRUE(holder.succeeded());
  holder.Kill();
  EXPECT_EQ(Prove(), Verdict::kInUse);
  kill(*child, SIGKILL);
  EXPECT_TRUE(BecomesFree());
  munmap(child, sizeof(pid_t));
}

TEST_F(SegmentDirectoryProveTest, AnotherOpeningByThisProcessCountsToo) {
  const int fd = open(file_.c_str(), O_RDONLY);
  EXPECT_EQ(Prove(), Verdict::kInUse);
  close(fd);
  EXPECT_EQ(Prove(), Verdict::kFree);
}

TEST_F(SegmentDirectoryProveTest, ATruncatedSegmentIsUnfit) {
  ASSERT_EQ(truncate(file_.c_str(), 4096), 0);
  EXPECT_EQ(Prove(), Verdict::kUnfit);
}

TEST_F(SegmentDirectoryProveTest, ASegmentCutAndGrownAgainIsUnfit) {
  // The size is right; the pages are gone and would be a SIGBUS when full.
  ASSERT_EQ(truncate(file_.c_str(), 0), 0);
  ASSERT_EQ(truncate(file_.c_str(), 64 * kKiB), 0);
  EXPECT_EQ(Prove(), Verdict::kUnfit);
}

TEST_F(SegmentDirectoryProveTest, AGrownSegmentIsUnfit) {
  ASSERT_EQ(truncate(file_.c_str(), 128 * kKiB), 0);
  EXPECT_EQ(Prove(), Verdict::kUnfit);
}

TEST_F(SegmentDirectoryProveTest, APunchedHoleIsUnfit) {
  const int fd = open(file_.c_str(), O_RDWR);
  ASSERT_EQ(
      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096), 0);
  close(fd);
  EXPECT_EQ(Prove(), Verdict::kUnfit);
}

TEST_F(SegmentDirectoryProveTest, PagesBeyondTheEndDoNotMakeUpForAHole) {
  const int fd = open(file_.c_str(), O_RDWR);
  ASSERT_EQ(
      fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 32 * kKiB),
      0);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 64 * kKiB, 32 * kKiB), 0);
  close(fd);
  ASSERT_EQ(AllocatedBytes(path_), 64 * kKiB);
  EXPECT_EQ(Prove(), Verdict::kUnfit);
}

TEST_F(SegmentDirectoryProveTest, PagesBeyondTheEndAreTakenAway) {
  const int fd = open(file_.c_str(), O_RDWR);
  ASSERT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 64 * kKiB, 1 * kMiB), 0);
  close(fd);
  ASSERT_GT(AllocatedBytes(path_), 64 * kKiB);
  EXPECT_EQ(Prove(), Verdict::kFree);
  EXPECT_EQ(AllocatedBytes(path_), 64 * kKiB);
}

TEST_F(SegmentDirectoryProveTest, WhatAProofCutsOffIsNoPageOfTheSegment) {
  const int fd = open(file_.c_str(), O_RDWR);
  const std::string written(64 * kKiB, 'x');
  ASSERT_EQ(pwrite(fd, written.data(), written.size(), 0), 64 * kKiB);
  close(fd);
  EXPECT_EQ(Prove(), Verdict::kFree);
  std::string read(64 * kKiB, '\0');
  const int reader = open(file_.c_str(), O_RDONLY);
  EXPECT_EQ(pread(reader, read.data(), read.size(), 0), 64 * kKiB);
  close(reader);
  EXPECT_EQ(read, written);
}

TEST_F(SegmentDirectoryProveTest, WhatHasAnotherSizeIsNotResized) {
  // It may be what a client has a claim to.
  ASSERT_EQ(truncate(file_.c_str(), 128 * kKiB), 0);
  ASSERT_EQ(Prove(), Verdict::kUnfit);
  EXPECT_EQ(std::filesystem::file_size(file_), 128 * kKiB);
}

TEST_F(SegmentDirectoryProveTest, AHardLinkIsUnfit) {
  // A second name would let its maker in again later.
  ASSERT_EQ(link(file_.c_str(), scratch_.Join("second-name").c_str()), 0);
  EXPECT_EQ(Prove(), Verdict::kUnfit);
}

TEST_F(SegmentDirectoryProveTest, AnUnlinkedSegmentIsUnfit) {
  // Nobody could open it by the path in the lease.
  ASSERT_EQ(unlink(file_.c_str()), 0);
  EXPECT_EQ(Prove(), Verdict::kUnfit);
}

TEST_F(SegmentDirectoryProveTest, WhatCannotBeProvenIsInUse) {
  calls_.FailNext(Call::kFcntl, ENOMEM);
  EXPECT_EQ(Prove(), Verdict::kInUse);
  calls_.FailNext(Call::kFstat, EIO);
  EXPECT_EQ(Prove(), Verdict::kInUse);
  calls_.FailNth(Call::kFstat, 2, EIO);
  EXPECT_EQ(Prove(), Verdict::kInUse);
  calls_.FailNext(Call::kTruncate, EIO);
  EXPECT_EQ(Prove(), Verdict::kInUse);
  EXPECT_EQ(Prove(), Verdict::kFree) << "the failed proof left a lease behind";
}

TEST_F(SegmentDirectoryProveTest, InterruptedCallsAreMadeAgain) {
  // Taking the lease, giving it up, and asking for the file's state.
  for (const uint64_t nth : {1, 2}) {
    calls_.FailNth(Call::kFcntl, nth, EINTR, 2);
    EXPECT_EQ(Prove(), Verdict::kFree);
  }
  for (const Call call : {Call::kFstat, Call::kTruncate}) {
    calls_.FailNext(call, EINTR, 2);
    EXPECT_EQ(Prove(), Verdict::kFree);
  }
  EXPECT_EQ(calls_.faults(), 8u);
}

TEST_F(SegmentDirectoryProveTest, SomebodyOpeningInTheMidstOfAProofMustWait) {
  // Between taking the lease and giving it up, nobody gets in.
  calls_.BeforeNext(Call::kFstat, [&] {
    const int fd = open(file_.c_str(), O_RDWR | O_NONBLOCK);
    EXPECT_EQ(fd, -1);
    EXPECT_EQ(errno, EWOULDBLOCK);
  });
  EXPECT_EQ(Prove(), Verdict::kFree);
}

}  // namespace
}  // namespace warmpool
