// Segments of 2 MiB and more, with huge pages where they can be had.
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "core/memory/directory/attach_segment.h"
#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-more-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"
#include "tests/core/memory/small_tmpfs.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using Use = HugePages::Use;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kTail = 512 * kKiB;

class SegmentDirectoryHugePagesTest : public DirectoryFixture {
 protected:
  absl::Status OpenIn(const std::string& path, Use use) {
    SegmentDirectory::Options options;
    options.huge_pages = use;
    options.end_window = [this](Segment window) {
      UnmapBatch(&calls_, {UnmapBatch::Drain::kInline})
          .Detach(std::move(window));
    };
    options.on_small_pages = [this](uint64_t bytes, const absl::Status& why) {
      small_bytes_.push_back(bytes);
      why_small_ = std::string(why.message());
    };
    absl::StatusOr<std::unique_ptr<SegmentDirectory>> directory =
        Open(path, &calls_, options);
    if (!directory.ok()) return directory.status();
    directory_ = *std::move(directory);
    return absl::OkStatus();
  }

  uint64_t AllocatedBytes(const Segment& segment) {
    struct stat file;
    EXPECT_EQ(stat(directory_->PathOf(segment).c_str(), &file), 0);
    return static_cast<uint64_t>(file.st_blocks) * 512;
  }

  // Bytes that a client's mapping has by 2 MiB; finds every byte zero and
  // writes it.
  uint64_t HugeBytesOfClient(const Segment& segment) {
    Segment attached(segment.size_class(), segment.bytes(), geteuid());
    EXPECT_THAT(AttachSegment(calls_, directory_->PathOf(segment), geteuid(),
                              true, &attached),
                IsOk());
    EXPECT_EQ(std::count(attached.data(), attached.data() + attached.bytes(),
                         std::byte{0}),
              static_cast<ptrdiff_t>(attached.bytes()));
    std::fill_n(attached.data(), attached.bytes(), std::byte{0x5a});
    std::ifstream maps("/proc/self/smaps");
    const std::string begin =
        absl::StrFormat("%x-", reinterpret_cast<uintptr_t>(attached.data()));
    uint64_t huge = 0;
    bool found = false;
    for (std::string line; std::getline(maps, line);) {
      found |= line.rfind(begin, 0) == 0;
      if (found && line.rfind("ShmemPmdMapped:", 0) == 0) {
        huge = std::stoull(line.substr(15)) * 1024;
        break;
      }
    }
    End(std::move(attached));
    return huge;
  }

  void ExpectHugeAndExact(uint64_t bytes) {
    Segment segment = MakeOrDie(*directory_, bytes);
    EXPECT_EQ(segment.page_bytes(), kHugePageSize);
    EXPECT_TRUE(segment.zeroed());
    EXPECT_EQ(AllocatedBytes(segment), segment.bytes());
    EXPECT_EQ(HugeBytesOfClient(segment), HugePages::Whole(segment.bytes()));
    EXPECT_EQ(AllocatedBytes(segment), segment.bytes());
    EXPECT_EQ(directory_->Prove(segment), Verdict::kFree);
    End(std::move(segment));
  }

  void ExpectSmallAndExact(uint64_t bytes) {
    Segment segment = MakeOrDie(*directory_, bytes);
    EXPECT_EQ(segment.page_bytes(), kPageSize);
    EXPECT_EQ(AllocatedBytes(segment), segment.bytes());
    HugeBytesOfClient(segment);
    End(std::move(segment));
  }

  std::unique_ptr<SmallTmpfs> filesystem_;
  std::unique_ptr<SegmentDirectory> directory_;
  std::vector<uint64_t> small_bytes_;
  std::string why_small_;
};

#define OPEN_WITH_HUGE_PAGES_OR_SKIP(path, use)             \
  if (const absl::Status opened = OpenIn(path, use);        \
      absl::IsFailedPrecondition(opened) &&                 \
      opened.message().find("huge") != std::string::npos) { \
    GTEST_SKIP() << opened;                                 \
  } else {                                                  \
    ASSERT_THAT(opened, IsOk());                            \
  }

#define MOUNT_OR_SKIP(options)                         \
  filesystem_ = std::make_unique<SmallTmpfs>(options); \
  if (!filesystem_->problem().empty()) {               \
    GTEST_SKIP() << filesystem_->problem();            \
  }

TEST_F(SegmentDirectoryHugePagesTest, AsFarAsTheyAreWholeOnAPlainTmpfs) {
  OPEN_WITH_HUGE_PAGES_OR_SKIP(path_, Use::kRequire);
  ExpectHugeAndExact(kHugePageSize);
  ExpectHugeAndExact(kHugePageSize + kTail);
  ExpectHugeAndExact(64 * kMiB);
  EXPECT_EQ(directory_->huge_page_counts().huge_segments, 3u);
  EXPECT_EQ(directory_->huge_page_counts().small_segments, 0u);
  directory_.reset();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(SegmentDirectoryHugePagesTest, NoFileTakesMoreThanItsBytesOnAnyMount) {
  for (const char* const option :
       {"huge=within_size", "huge=always", "huge=advise", "huge=never"}) {
    SCOPED_TRACE(option);
    MOUNT_OR_SKIP(std::string("size=64m,") + option);
    OPEN_WITH_HUGE_PAGES_OR_SKIP(filesystem_->Join("pool"), Use::kRequire);
    ExpectHugeAndExact(kHugePageSize);
    ExpectHugeAndExact(kHugePageSize + kTail);
    ExpectHugeAndExact(32 * kMiB);
    for (const uint64_t bytes : {4 * kKiB, 64 * kKiB, 1536 * kKiB}) {
      ExpectSmallAndExact(bytes);
    }
    const bool given = std::string(option) == "huge=within_size" ||
                       std::string(option) == "huge=always";
    EXPECT_EQ(directory_->huge_page_method(),
              given ? HugePages::Method::kMount : HugePages::Method::kCollapse);
    directory_.reset();
  }
}

TEST_F(SegmentDirectoryHugePagesTest, AHoleIsFoundOnAnyMountWhateverIsBeyond) {
  for (const char* const option :
       {"huge=within_size", "huge=always", "huge=advise", "huge=never"}) {
    SCOPED_TRACE(option);
    MOUNT_OR_SKIP(std::string("size=64m,") + option);
    OPEN_WITH_HUGE_PAGES_OR_SKIP(filesystem_->Join("pool"), Use::kRequire);
    Segment segment = MakeOrDie(*directory_, 2 * kHugePageSize + kTail);
    const int fd = open(directory_->PathOf(segment).c_str(), O_RDWR);
    ASSERT_EQ(
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kTail), 0);
    ASSERT_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE,
                        static_cast<off_t>(segment.bytes()), kTail),
              0);
    close(fd);
    ASSERT_GE(AllocatedBytes(segment), segment.bytes());
    EXPECT_EQ(directory_->Prove(segment), Verdict::kUnfit);
    End(std::move(segment));
    directory_.reset();
  }
}

TEST_F(SegmentDirectoryHugePagesTest, WhereTheyAreNotAskedForNobodyLooks) {
  ASSERT_THAT(OpenIn(path_, Use::kNever), IsOk());
  ExpectSmallAndExact(kHugePageSize);
  EXPECT_EQ(calls_.Count(Call::kTruncate), 0u);
  EXPECT_EQ(directory_->huge_page_method(), HugePages::Method::kNone);
  EXPECT_THAT(directory_->huge_page_support(), IsOk());
  EXPECT_EQ(directory_->huge_page_counts().small_segments, 0u);
}

TEST_F(SegmentDirectoryHugePagesTest, WhatStopsInTheMidstIsCompletedBySmall) {
  OPEN_WITH_HUGE_PAGES_OR_SKIP(path_, Use::kAuto);
  // The third huge page has its byte, the others have none.
  calls_.FailNth(Call::kWrite, 4, ENOMEM);
  ExpectSmallAndExact(16 * kMiB);
  for (const Call call : {Call::kTruncate, Call::kMmap, Call::kMadvise}) {
    calls_.FailNext(call, ENOMEM);
    ExpectSmallAndExact(kHugePageSize + kTail);
  }
  EXPECT_EQ(directory_->huge_page_counts().small_segments, 4u);
  EXPECT_THAT(small_bytes_, testing::ElementsAre(
                                16 * kMiB, kHugePageSize + kTail,
                                kHugePageSize + kTail, kHugePageSize + kTail));
  EXPECT_THAT(why_small_,
              AllOf(HasSubstr("2621440 bytes"), HasSubstr("compact_memory")));
  ExpectHugeAndExact(kHugePageSize);
}

TEST_F(SegmentDirectoryHugePagesTest, RequiredAndNotHadIsARefusal) {
  OPEN_WITH_HUGE_PAGES_OR_SKIP(path_, Use::kRequire);
  calls_.FailNext(Call::kMadvise, ENOMEM);
  Segment segment;
  EXPECT_THAT(Make(*directory_, kHugePageSize, &segment),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("no huge pages for 2097152 bytes"),
                             HasSubstr("compact_memory"))));
  End(std::move(segment));
  ExpectSmallAndExact(64 * kKiB);
  EXPECT_EQ(directory_->huge_page_counts().huge_segments, 0u);
}

TEST_F(SegmentDirectoryHugePagesTest, AFullFilesystemIsToldAsWithout) {
  for (const char* const option : {"huge=never", "huge=within_size"}) {
    SCOPED_TRACE(option);
    MOUNT_OR_SKIP(std::string("size=7m,") + option);
    OPEN_WITH_HUGE_PAGES_OR_SKIP(filesystem_->Join("pool"), Use::kAuto);
    Segment refused;
    EXPECT_THAT(Make(*directory_, 8 * kMiB, &refused),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("bytes free")));
    End(std::move(refused));
    // What was begun is gone, and all that is left can be had and written.
    ExpectHugeAndExact(6 * kMiB);
    directory_.reset();
  }
}

// The kernel's own refusal, undone before the next test.
class Forbidden {
 public:
  Forbidden() : done_(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0) {}
  ~Forbidden() { prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0); }
  bool done() const { return done_; }

 private:
  const bool done_;
};

TEST_F(SegmentDirectoryHugePagesTest, RequiredAndNotToBeHadOpensNothing) {
  const Forbidden forbidden;
  if (!forbidden.done()) GTEST_SKIP() << "no PR_SET_THP_DISABLE";
  EXPECT_THAT(OpenIn(path_, Use::kRequire),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(path_), HasSubstr("no huge pages"))));
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(SegmentDirectoryHugePagesTest, WhereThereAreNoneItDoesWithSmallOnes) {
  const Forbidden forbidden;
  if (!forbidden.done()) GTEST_SKIP() << "no PR_SET_THP_DISABLE";
  ASSERT_THAT(OpenIn(path_, Use::kAuto), IsOk());
  EXPECT_THAT(directory_->huge_page_support(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("PR_SET_THP_DISABLE")));
  ExpectSmallAndExact(kHugePageSize);
  EXPECT_EQ(directory_->huge_page_counts().small_segments, 1u);
  EXPECT_THAT(small_bytes_, testing::IsEmpty()) << "it was told at the start";
}

}  // namespace
}  // namespace warmpool
