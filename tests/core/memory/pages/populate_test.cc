// Pages that a mapping finds entered when it is first used.
#include "core/memory/pages/populate.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/memory/directory/attach_segment.h"
#include "core/memory/directory/segment_directory.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/memory/directory_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

constexpr PageState kStates[] = {PageState::kReserved, PageState::kWritten};

class PopulateTest : public DirectoryFixture {
 protected:
  void Attach(uint64_t bytes, PageState state, size_t page_bytes = kPageSize,
              bool writable = true) {
    segment_ = MakeOrDie(*directory_, bytes);
    if (state == PageState::kWritten) Write();
    attached_ = Segment(segment_.size_class(), segment_.bytes(), geteuid());
    attached_.set_page_bytes(page_bytes);
    ASSERT_THAT(AttachSegment(calls_, directory_->PathOf(segment_), geteuid(),
                              writable, &attached_, state),
                IsOk());
  }

  void Write() {
    const int fd = open(directory_->PathOf(segment_).c_str(), O_WRONLY);
    const std::string bytes(segment_.bytes(), 'x');
    ASSERT_EQ(write(fd, bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
    close(fd);
  }

  // Of the attached one, in the page table of this process.
  uint64_t EnteredBytes() {
    std::ifstream maps("/proc/self/smaps");
    const std::string begin =
        absl::StrFormat("%x-", reinterpret_cast<uintptr_t>(attached_.data()));
    bool found = false;
    for (std::string line; std::getline(maps, line);) {
      found |= line.rfind(begin, 0) == 0;
      if (found && line.rfind("Rss:", 0) == 0) {
        return std::stoull(line.substr(4)) * 1024;
      }
    }
    return 0;
  }

  void EndBoth() {
    End(std::move(attached_));
    End(std::move(segment_));
  }

  const std::unique_ptr<SegmentDirectory> directory_ = OpenOrDie();
  Segment segment_;
  Segment attached_;
};

int64_t Faults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Not instrumented: a sanitizer first uses pages of its own for those that are
// written, and their faults cannot be distinguished from others.
__attribute__((noinline, no_sanitize("address", "thread"))) void WriteEachPage(
    volatile std::byte* data, size_t bytes) {
  for (size_t offset = 0; offset < bytes; offset += kPageSize) {
    data[offset] = std::byte{1};
  }
}

TEST_F(PopulateTest, EveryPageIsEnteredWhateverTheSize) {
  for (const uint64_t bytes :
       {uint64_t{4096}, 20 * kKiB, 64 * kKiB, 80 * kKiB, 2560 * kKiB,
        uint64_t{kManyThreadsBytes}, uint64_t{kManyThreadsBytes} + 8 * kMiB}) {
    for (const PageState state : kStates) {
      Attach(bytes, state);
      EXPECT_EQ(EnteredBytes(), attached_.bytes());
      EndBoth();
    }
  }
}

TEST_F(PopulateTest, AReadOnlyMappingToo) {
  for (const PageState state : kStates) {
    Attach(3 * kMiB, state, kPageSize, /*writable=*/false);
    EXPECT_EQ(EnteredBytes(), attached_.bytes());
    EndBoth();
  }
}

TEST_F(PopulateTest, WritesDoNotFaultAgain) {
  Attach(8 * kMiB, PageState::kWritten);
  const int64_t before = Faults();
  WriteEachPage(attached_.data(), attached_.bytes());
  // Of 2048 pages; others belong to what else happens here.
  EXPECT_LT(Faults() - before, 100);
  EndBoth();
}

TEST_F(PopulateTest, HugePagesThatAreNoneAreEnteredAsTheyAre) {
  Attach(5 * kMiB, PageState::kWritten, kHugePageSize);
  EXPECT_EQ(EnteredBytes(), attached_.bytes());
  EndBoth();
}

TEST_F(PopulateTest, WhatTheKernelRefusesIsLeftToFirstUse) {
  for (const uint64_t bytes : {64 * kKiB, 5 * kMiB, kManyThreadsBytes}) {
    for (const size_t page_bytes : {kPageSize, kHugePageSize}) {
      calls_.FailNext(Call::kMadvise, EINVAL, 1000);
      const uint64_t asked = calls_.Count(Call::kMadvise);
      Attach(bytes, PageState::kReserved, page_bytes);
      EXPECT_LE(calls_.Count(Call::kMadvise) - asked, kMaxPopulateThreads)
          << "one refusal is enough";
      calls_.StopFailing();
      attached_.data()[attached_.bytes() - 1] = std::byte{1};
      EndBoth();
    }
  }
}

TEST_F(PopulateTest, AFileThatIsTruncatedMeanwhileKillsNobody) {
  for (const PageState state : kStates) {
    const uint64_t bytes = kManyThreadsBytes;
    calls_.BeforeNext(Call::kMadvise, [this] {
      ASSERT_EQ(truncate(directory_->PathOf(segment_).c_str(), 0), 0);
    });
    Attach(bytes, state);
    EXPECT_EQ(EnteredBytes(), 0u);
    EndBoth();
  }
}

}  // namespace
}  // namespace warmpool
