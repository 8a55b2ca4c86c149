#include "core/memory/directory/attach_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::AllOf;
using ::testing::HasSubstr;

// A daemon's directory with one segment; the client's calls are counted apart.
class AttachSegmentTest : public DirectoryFixture {
 protected:
  ~AttachSegmentTest() override {
    if (!attached_.empty()) EndAttached();
    if (!segment_.empty()) End(std::move(segment_));
    EXPECT_EQ(client_calls_.live(), FaultySystemCalls::Live());
  }

  void MakeSegment(uint64_t bytes) { segment_ = MakeOrDie(*directory_, bytes); }

  absl::Status Attach(bool writable) {
    attached_ = Segment(segment_.size_class(), segment_.bytes(), geteuid());
    return AttachSegment(client_calls_, directory_->PathOf(segment_), geteuid(),
                         writable, &attached_);
  }

  void EndAttached() {
    UnmapBatch batch(&client_calls_, {UnmapBatch::Drain::kInline});
    batch.Add(std::move(attached_), absl::UnixEpoch());
  }

  FaultySystemCalls client_calls_;
  const std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  Segment segment_;
  Segment attached_;
};

TEST_F(AttachSegmentTest, WhatOneWritesTheOtherReads) {
  MakeSegment(64 * kKiB);
  ASSERT_THAT(Attach(/*writable=*/true), IsOk());
  std::memcpy(attached_.data() + attached_.bytes() - 5, "hello", 5);

  char read[5];
  const int fd = open(directory_->PathOf(segment_).c_str(), O_RDONLY);
  ASSERT_EQ(pread(fd, read, 5, segment_.bytes() - 5), 5);
  close(fd);
  EXPECT_EQ(std::string(read, 5), "hello");
}

TEST_F(AttachSegmentTest, KeepsTheMappingButNoDescriptor) {
  MakeSegment(64 * kKiB);
  ASSERT_THAT(Attach(true), IsOk());
  EXPECT_EQ(client_calls_.live(), (FaultySystemCalls::Live{.mappings = 1}));
  EXPECT_EQ(attached_.fd(), -1);
  EXPECT_EQ(attached_.file_name(), "") << "a client unlinks nothing";
}

TEST_F(AttachSegmentTest, HugePagesCanBeMappedAsSuch) {
  for (const uint64_t bytes : {2 * kMiB, 5 * kMiB}) {
    MakeSegment(bytes);
    ASSERT_THAT(Attach(true), IsOk());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(attached_.data()) % kHugePageSize,
              0u);
    attached_.data()[attached_.bytes() - 1] = std::byte{1};
    EndAttached();
    End(std::move(segment_));
  }
}

TEST_F(AttachSegmentTest, ReadOnlyReads) {
  MakeSegment(64 * kKiB);
  const int fd = open(directory_->PathOf(segment_).c_str(), O_WRONLY);
  ASSERT_EQ(pwrite(fd, "x", 1, 0), 1);
  close(fd);
  ASSERT_THAT(Attach(/*writable=*/false), IsOk());
  EXPECT_EQ(static_cast<char>(attached_.data()[0]), 'x');
}

using AttachSegmentDeathTest = AttachSegmentTest;

TEST_F(AttachSegmentDeathTest, ReadOnlyDoesNotWrite) {
  MakeSegment(64 * kKiB);
  ASSERT_THAT(Attach(/*writable=*/false), IsOk());
  volatile std::byte* const data = attached_.data();
  EXPECT_DEATH(*data = std::byte{1}, "");
}

TEST_F(AttachSegmentTest, AReadOnlyMappingCannotBeMadeWritable) {
  MakeSegment(64 * kKiB);
  ASSERT_THAT(Attach(/*writable=*/false), IsOk());
  EXPECT_EQ(mprotect(attached_.data(), 4096, PROT_READ | PROT_WRITE), -1);
}

TEST_F(AttachSegmentTest, AMissingFileIsALeaseThatEnded) {
  MakeSegment(64 * kKiB);
  ASSERT_EQ(unlink(directory_->PathOf(segment_).c_str()), 0);
  EXPECT_THAT(Attach(true), StatusIs(absl::StatusCode::kFailedPrecondition,
                                     AllOf(HasSubstr(segment_.file_name()),
                                           HasSubstr("lease has ended"))));
}

TEST_F(AttachSegmentTest, AShortFileIsRefusedRatherThanASignalLater) {
  MakeSegment(64 * kKiB);
  ASSERT_EQ(truncate(directory_->PathOf(segment_).c_str(), 64 * kKiB - 1), 0);
  EXPECT_THAT(Attach(true), StatusIs(absl::StatusCode::kFailedPrecondition,
                                     AllOf(HasSubstr("65535 bytes"),
                                           HasSubstr("says 65536"))));
  EXPECT_EQ(client_calls_.live(), FaultySystemCalls::Live());
}

TEST_F(AttachSegmentTest, NeverFollowsASymbolicLink) {
  MakeSegment(64 * kKiB);
  const std::string link = scratch_.Join("link");
  ASSERT_EQ(symlink(directory_->PathOf(segment_).c_str(), link.c_str()), 0);
  Segment attached(segment_.size_class(), segment_.bytes(), geteuid());
  EXPECT_FALSE(
      AttachSegment(client_calls_, link, geteuid(), true, &attached).ok());
}

// What a daemon names is not yet its own.
TEST_F(AttachSegmentTest, ADirectoryThatIsNotTheDaemonsIsNotLookedInto) {
  MakeSegment(64 * kKiB);
  attached_ = Segment(segment_.size_class(), segment_.bytes(), geteuid());
  EXPECT_THAT(AttachSegment(client_calls_, directory_->PathOf(segment_),
                            /*daemon=*/geteuid() + 1, true, &attached_),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("belongs to uid")));
  EXPECT_THAT(AttachSegment(client_calls_, segment_.file_name(), geteuid(),
                            true, &attached_),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("in no directory of its own")));
  ASSERT_EQ(chmod(path_.c_str(), 0730), 0);
  EXPECT_THAT(Attach(true), StatusIs(absl::StatusCode::kPermissionDenied,
                                     HasSubstr("others can write to")));
  EXPECT_THAT(AttachSegment(client_calls_, "/tmp/other", 0, true, &attached_),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("others can write to")));
  EXPECT_EQ(client_calls_.live(), FaultySystemCalls::Live());
}

TEST_F(AttachSegmentTest, APipeIsNeitherWaitedForNorMapped) {
  MakeSegment(64 * kKiB);
  const std::string path = directory_->PathOf(segment_);
  ASSERT_EQ(unlink(path.c_str()), 0);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (const bool writable : {true, false}) {
    EXPECT_THAT(Attach(writable), StatusIs(absl::StatusCode::kPermissionDenied,
                                           HasSubstr("is no regular file")));
  }
  EXPECT_EQ(client_calls_.live(), FaultySystemCalls::Live());
}

TEST_F(AttachSegmentTest, AFileOfAnotherFilesystemIsRefused) {
  Segment attached(SizeClass{0}, 4096, geteuid());
  const std::string path = absl::StrCat("/proc/", getpid(), "/comm");
  EXPECT_THAT(AttachSegment(client_calls_, path, geteuid(), true, &attached),
              StatusIs(absl::StatusCode::kPermissionDenied,
                       HasSubstr("is on no tmpfs")));
  EXPECT_EQ(client_calls_.live(), FaultySystemCalls::Live());
}

TEST_F(AttachSegmentTest, EveryFailedCallLeavesNothingBehind) {
  MakeSegment(2 * kMiB);
  for (const Call call : {Call::kOpen, Call::kFstat, Call::kMmap}) {
    for (const int error : {EMFILE, ENOMEM, EACCES}) {
      for (const uint64_t nth : {1, 2}) {
        client_calls_.FailNth(call, nth, error);
        const absl::Status status = Attach(true);
        // Of the calls only fstat is made once.
        EXPECT_EQ(status.ok(), nth == 2 && call == Call::kFstat) << status;
        client_calls_.StopFailing();
        EndAttached();
        EXPECT_EQ(client_calls_.live(), FaultySystemCalls::Live())
            << SystemCalls::Name(call) << " " << nth;
      }
    }
  }
}

TEST_F(AttachSegmentTest, OutOfMappingsIsExhaustion) {
  MakeSegment(64 * kKiB);
  client_calls_.FailNext(Call::kMmap, ENOMEM);
  EXPECT_THAT(Attach(true), StatusIs(absl::StatusCode::kResourceExhausted,
                                     HasSubstr("vm.max_map_count")));
}

TEST_F(AttachSegmentTest, AnInterruptedOpenIsMadeAgain) {
  MakeSegment(64 * kKiB);
  client_calls_.FailNext(Call::kOpen, EINTR, 2);
  client_calls_.FailNext(Call::kFstat, EINTR, 2);
  EXPECT_THAT(Attach(true), IsOk());
  EXPECT_EQ(client_calls_.faults(), 4u);
}

}  // namespace
}  // namespace warmpool
