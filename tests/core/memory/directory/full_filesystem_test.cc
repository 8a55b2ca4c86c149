// A tmpfs that is really full: its errors are not what a double imagines.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "core/memory/directory/attach_segment.h"
#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"
#include "tests/core/memory/small_tmpfs.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

class FullFilesystemTest : public DirectoryFixture {
 protected:
  void Mount(const std::string& options) {
    filesystem_ = std::make_unique<SmallTmpfs>(options);
  }

  // Takes all that is left.
  static void Fill(const std::string& path) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT, 0600);
    const std::vector<char> block(4096);
    while (write(fd, block.data(), block.size()) > 0) {
    }
    close(fd);
  }

  std::unique_ptr<SmallTmpfs> filesystem_;
};

#define MOUNT_OR_SKIP(options)              \
  Mount(options);                           \
  if (!filesystem_->problem().empty()) {    \
    GTEST_SKIP() << filesystem_->problem(); \
  }

TEST_F(FullFilesystemTest, RefusesWithTheBytesFreeAndNeverKillsAClient) {
  MOUNT_OR_SKIP("size=8m");
  const auto directory = Open(filesystem_->Join("pool"), &calls_).value();
  std::vector<Segment> segments;
  absl::Status refusal;
  while (refusal.ok()) {
    Segment segment;
    refusal = Make(*directory, kMiB, &segment);
    segments.push_back(std::move(segment));
    ASSERT_LT(segments.size(), 20u);
  }
  const uint64_t free = directory->FreeBytes().value();
  EXPECT_LT(free, kMiB);
  EXPECT_THAT(refusal,
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr(std::to_string(free) + " bytes free")));
  End(std::move(segments.back()));
  segments.pop_back();
  EXPECT_EQ(segments.size(), 7u) << "the lock file takes a page";

  // The filesystem is full; every byte that was granted can be written.
  Fill(filesystem_->Join("filler"));
  for (Segment& segment : segments) {
    Segment attached(segment.size_class(), segment.bytes(), geteuid());
    ASSERT_THAT(AttachSegment(calls_, directory->PathOf(segment), geteuid(),
                              true, &attached),
                IsOk());
    std::memset(attached.data(), 0x5a, attached.bytes());
    End(std::move(attached));
  }

  // What one gives back the next can have.
  End(std::move(segments.back()));
  segments.pop_back();
  segments.push_back(MakeOrDie(*directory, kMiB));
  for (Segment& segment : segments) End(std::move(segment));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(FullFilesystemTest, ARefusedSegmentTakesNoBytes) {
  MOUNT_OR_SKIP("size=2m");
  const auto directory = Open(filesystem_->Join("pool"), &calls_).value();
  const uint64_t before = directory->FreeBytes().value();
  Segment segment;
  EXPECT_THAT(Make(*directory, 2 * kMiB, &segment),
              StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(directory->FreeBytes().value(), before);
  End(std::move(segment));
}

TEST_F(FullFilesystemTest, OutOfFileNamesIsExhaustionToo) {
  MOUNT_OR_SKIP("size=8m,nr_inodes=6");
  const auto directory = Open(filesystem_->Join("pool"), &calls_).value();
  std::vector<Segment> segments;
  absl::Status refusal;
  while (refusal.ok()) {
    Segment segment;
    refusal = Make(*directory, 4096, &segment);
    if (refusal.ok()) segments.push_back(std::move(segment));
    ASSERT_LT(segments.size(), 20u);
  }
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("out of inodes, all 6 are in use")));
  for (Segment& segment : segments) End(std::move(segment));
}

TEST_F(FullFilesystemTest, AStartWithoutInodesSaysWhatToDo) {
  // The mount itself is one; then the directory, its lock and `private` lack
  // one.
  for (int inodes = 1; inodes <= 3; ++inodes) {
    MOUNT_OR_SKIP("size=8m,nr_inodes=" + std::to_string(inodes));
    EXPECT_THAT(Open(filesystem_->Join("pool"), &calls_),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("a larger nr_inodes=")))
        << inodes;
  }
}

TEST_F(FullFilesystemTest, ADaemonStartsAndFindsWhatToEnd) {
  // Otherwise a daemon that was killed when all was full could never come back
  // to give it back.
  MOUNT_OR_SKIP("size=2m");
  const std::string path = filesystem_->Join("pool");
  {
    const auto earlier = Open(path, &calls_).value();
    Detach(MakeOrDie(*earlier, kMiB));
    Fill(filesystem_->Join("filler"));
  }
  Fill(filesystem_->Join("more-filler"));
  const auto directory = Open(path, &calls_);
  ASSERT_THAT(directory, IsOk());
  std::vector<std::string> unknown;
  std::vector<Segment> leftovers =
      (*directory)->FindLeftovers(SizeClasses(), &unknown).value();
  ASSERT_EQ(leftovers.size(), 1u);
  End(std::move(leftovers[0]));
  EXPECT_GE((*directory)->FreeBytes().value(), kMiB);
}

TEST_F(FullFilesystemTest, ASegmentWithoutItsPagesIsNotReused) {
  // A client gave its pages back to the filesystem, which somebody else filled.
  MOUNT_OR_SKIP("size=2m");
  const auto directory = Open(filesystem_->Join("pool"), &calls_).value();
  Segment segment = MakeOrDie(*directory, kMiB);
  const std::string file = directory->PathOf(segment);
  ASSERT_EQ(truncate(file.c_str(), 0), 0);
  ASSERT_EQ(truncate(file.c_str(), kMiB), 0);
  Fill(filesystem_->Join("filler"));
  EXPECT_EQ(directory->Prove(segment), Verdict::kUnfit);
  End(std::move(segment));
}

}  // namespace
}  // namespace warmpool
