// Segments beyond what may stay open: closed, and proven by their names.
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "core/memory/directory/segment_directory.h"
#include "core/memory/kernel/descriptor_limit.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::AllOf;
using ::testing::HasSubstr;

class SegmentDirectoryDescriptorsTest : public DirectoryFixture {
 protected:
  std::unique_ptr<SegmentDirectory> OpenWith(size_t max_open_segments) {
    return Open(path_, &calls_, {.max_open_segments = max_open_segments})
        .value();
  }

  void EndProven(Segment segment) {
    UnmapBatch batch(&calls_, {UnmapBatch::Drain::kInline});
    batch.Add(std::move(segment), absl::UnixEpoch(), /*proven_unused=*/true);
  }
};

TEST_F(SegmentDirectoryDescriptorsTest, ManySegmentsLiveUnderASmallLimit) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit small{100, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &small), 0);
  const auto directory = OpenWith(50);
  std::vector<Segment> segments;
  for (int i = 0; i < 200; ++i) {
    segments.push_back(MakeOrDie(*directory, 64 * kKiB));
  }
  EXPECT_EQ(directory->open_segments(), 50u);
  EXPECT_EQ(calls_.live(), (FaultySystemCalls::Live{0, 50, 200}));
  for (const Segment& segment : segments) {
    EXPECT_EQ(directory->Prove(segment), Verdict::kFree);
  }
  for (const size_t kept : {0, 199}) {
    const std::string path = directory->PathOf(segments[kept]);
    const int fd = open(path.c_str(), O_RDWR);
    EXPECT_EQ(directory->Prove(segments[kept]), Verdict::kInUse);
    EXPECT_TRUE(directory->SetAside(&segments[kept]).ok());
    EXPECT_EQ(directory->Prove(segments[kept]), Verdict::kInUse);
    close(fd);
    EXPECT_EQ(directory->Prove(segments[kept]), Verdict::kFree);
  }
  for (Segment& segment : segments) EndProven(std::move(segment));
  EXPECT_EQ(directory->open_segments(), 0u);
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(SegmentDirectoryDescriptorsTest,
       AnotherFileOfTheNameIsNeitherFreeNorCut) {
  const auto directory = OpenWith(0);
  Segment segment = MakeOrDie(*directory, 64 * kKiB);
  const std::string path = directory->PathOf(segment);
  const std::string other = scratch_.Join("other");
  const int fd = open(other.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(fallocate(fd, 0, 0, 64 * kKiB), 0);
  ASSERT_EQ(rename(other.c_str(), path.c_str()), 0);
  EXPECT_EQ(directory->Prove(segment), Verdict::kUnfit);
  EndProven(std::move(segment));
  struct stat file;
  ASSERT_EQ(fstat(fd, &file), 0);
  EXPECT_EQ(file.st_size, off_t{64 * kKiB});
  close(fd);
}

TEST_F(SegmentDirectoryDescriptorsTest, AHardLinkKeepsNoPagesOfAClosedSegment) {
  const auto directory = OpenWith(0);
  Segment segment = MakeOrDie(*directory, 64 * kKiB);
  const std::string second = scratch_.Join("second-name");
  ASSERT_EQ(link(directory->PathOf(segment).c_str(), second.c_str()), 0);
  EXPECT_EQ(directory->Prove(segment), Verdict::kUnfit);
  EndProven(std::move(segment));
  struct stat file;
  ASSERT_EQ(stat(second.c_str(), &file), 0);
  EXPECT_EQ(file.st_blocks, 0);
}

TEST_F(SegmentDirectoryDescriptorsTest, WithoutADescriptorNothingIsFree) {
  const auto directory = OpenWith(0);
  Segment segment = MakeOrDie(*directory, 64 * kKiB);
  for (const int error : {EMFILE, ENFILE}) {
    calls_.FailNext(Call::kOpen, error);
    EXPECT_EQ(directory->Prove(segment), Verdict::kInUse);
    EXPECT_EQ(directory->Prove(segment), Verdict::kFree);
  }
  EndProven(std::move(segment));
}

TEST_F(SegmentDirectoryDescriptorsTest, SegmentsInUseAgainAndAgainStayOpen) {
  const auto directory = OpenWith(2);
  Segment hot = MakeOrDie(*directory, 64 * kKiB);
  std::vector<Segment> live;
  for (int i = 0; i < 5; ++i) {
    live.push_back(MakeOrDie(*directory, 64 * kKiB));
    const uint64_t opened = calls_.Count(Call::kOpen);
    EXPECT_EQ(directory->Prove(hot), Verdict::kFree);
    EXPECT_EQ(calls_.Count(Call::kOpen), opened);
  }
  live.push_back(std::move(hot));
  for (Segment& segment : live) EndProven(std::move(segment));
}

TEST_F(SegmentDirectoryDescriptorsTest, AnOpenSegmentGivesWayToAnother) {
  const auto directory = OpenWith(1);
  Segment first = MakeOrDie(*directory, 64 * kKiB);
  calls_.FailNext(Call::kOpen, EMFILE);
  Segment second = MakeOrDie(*directory, 64 * kKiB);
  calls_.FailNext(Call::kOpen, EMFILE);
  EXPECT_EQ(directory->Prove(first), Verdict::kFree);
  EXPECT_EQ(directory->Prove(second), Verdict::kFree);
  EndProven(std::move(first));
  EndProven(std::move(second));
}

TEST_F(SegmentDirectoryDescriptorsTest, AModeThatForbidsWritingIsUnfit) {
  const auto directory = OpenWith(0);
  Segment segment = MakeOrDie(*directory, 64 * kKiB);
  ASSERT_EQ(chmod(directory->PathOf(segment).c_str(), 0400), 0);
  // As for an ordinary user.
  calls_.FailNext(Call::kOpen, EACCES);
  EXPECT_EQ(directory->Prove(segment), Verdict::kUnfit);
  EXPECT_EQ(calls_.live().descriptors, 0u);
  EndProven(std::move(segment));
}

TEST_F(SegmentDirectoryDescriptorsTest, ALackOfDescriptorsNamesTheRemedy) {
  const auto directory = OpenWith(0);
  Segment segment;
  calls_.FailNext(Call::kOpen, EMFILE);
  const absl::Status made = Make(*directory, 64 * kKiB, &segment);
  EXPECT_TRUE(absl::IsResourceExhausted(made)) << made;
  EXPECT_THAT(std::string(made.message()),
              AllOf(HasSubstr("RLIMIT_NOFILE"), HasSubstr("ulimit -n"),
                    HasSubstr("LimitNOFILE=")));
}

TEST_F(SegmentDirectoryDescriptorsTest, AClosedLeftoverCanBeReused) {
  Detach(MakeOrDie(*OpenWith(1), 64 * kKiB));
  const auto directory = OpenWith(0);
  std::vector<std::string> unknown;
  std::vector<Segment> found =
      directory->FindLeftovers(SizeClasses(), &unknown).value();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(directory->open_segments(), 0u);
  EXPECT_EQ(directory->Prove(found[0]), Verdict::kFree);
  EndProven(std::move(found[0]));
}

TEST(DescriptorLimitTest, ConnectionsKeepAShareOfEveryLimit) {
  EXPECT_EQ(DescriptorsForSegments(256), 128u);
  EXPECT_EQ(DescriptorsForSegments(3072), 2048u);
  EXPECT_EQ(DescriptorsForSegments(1'048'576), 786'432u);
}

}  // namespace
}  // namespace warmpool
