#include "core/memory/attach_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "gmock/gmock.h"
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
    return AttachSegment(client_calls_, directory_->PathOf(segment_), writable,
                         &attached_);
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
  EXPECT_THAT(Attach(true),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(segment_.file_name()),
                             HasSubstr("lease has ended"))));
}

TEST_F(AttachSegmentTest, AShortFileIsRefusedRatherThanASignalLater) {
  MakeSegment(64 * kKiB);
  ASSERT_EQ(truncate(directory_->PathOf(segment_).c_str(), 64 * kKiB - 1), 0);
  EXPECT_THAT(
      Attach(true),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("65535 bytes"), HasSubstr("says 65536"))));
  EXPECT_EQ(client_calls_.live(), FaultySystemCalls::Live());
}

TEST_F(AttachSegmentTest, NeverFollowsASymbolicLink) {
  MakeSegment(64 * kKiB);
  const std::string link = scratch_.Join("link");
  ASSERT_EQ(symlink(directory_->PathOf(segment_).c_str(), link.c_str()), 0);
  Segment attached(segment_.size_class(), segment_.bytes(), geteuid());
  EXPECT_FALSE(AttachSegment(client_calls_, link, true, &attached).ok());
}

TEST_F(AttachSegmentTest, EveryFailedCallLeavesNothingBehind) {
  MakeSegment(2 * kMiB);
  for (const Call call : {Call::kOpen, Call::kFstat, Call::kMmap}) {
    for (const int error : {EMFILE, ENOMEM, EACCES}) {
      for (const uint64_t nth : {1, 2}) {
        client_calls_.FailNth(call, nth, error);
        const absl::Status status = Attach(true);
        // Of the calls only mmap is made twice.
        EXPECT_EQ(status.ok(), nth == 2 && call != Call::kMmap) << status;
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
