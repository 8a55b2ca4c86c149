// Pages of 2 MiB in files of /dev/shm.
#include "core/memory/pages/huge_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/engine/unmap_batch.h"
#include "core/memory/size_class.h"
#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "tests/core/memory/scratch_directory.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using Call = SystemCalls::Call;

class HugePagesTest : public testing::Test {
 protected:
  HugePagesTest()
      : directory_fd_(
            open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    huge_pages_.emplace(&calls_, [this](Segment window) {
      UnmapBatch(&calls_, {UnmapBatch::Drain::kInline})
          .Detach(std::move(window));
    });
  }
  ~HugePagesTest() override {
    huge_pages_.reset();
    EXPECT_EQ(calls_.live().mappings, 0u);
    for (const int fd : fds_) close(fd);
    close(directory_fd_);
  }

  // Skips where the kernel has none to give.
  void DetectOrSkip() {
    const absl::Status detected = huge_pages_->Detect(directory_fd_);
    if (!detected.ok()) GTEST_SKIP() << detected;
  }

  int MakeFile() {
    const int fd = openat(directory_fd_, std::to_string(fds_.size()).c_str(),
                          O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    EXPECT_GE(fd, 0);
    fds_.push_back(fd);
    return fd;
  }

  static uint64_t AllocatedBytes(int fd) {
    struct stat file;
    EXPECT_EQ(fstat(fd, &file), 0);
    return static_cast<uint64_t>(file.st_blocks) * 512;
  }

  // Bytes of a mapping of the file that the kernel maps by 2 MiB.
  uint64_t HugeBytes(int fd, uint64_t bytes) {
    // Aligned within a longer range; gone with the process.
    void* const range =
        mmap(nullptr, bytes + kHugePageSize, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    const auto begin =
        (reinterpret_cast<uintptr_t>(range) + kHugePageSize - 1) /
        kHugePageSize * kHugePageSize;
    auto* const data = static_cast<char*>(
        mmap(reinterpret_cast<void*>(begin), bytes, PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0));
    EXPECT_TRUE(std::all_of(data, data + bytes, [](char c) { return c == 0; }));
    std::ifstream maps("/proc/self/smaps");
    char address[32];
    std::snprintf(address, sizeof(address), "%lx-", static_cast<long>(begin));
    uint64_t huge = 0;
    bool found = false;
    for (std::string line; std::getline(maps, line);) {
      if (line.rfind(address, 0) == 0) found = true;
      if (found && line.rfind("ShmemPmdMapped:", 0) == 0) {
        huge = std::stoull(line.substr(15)) * 1024;
        break;
      }
    }
    munmap(range, bytes + kHugePageSize);
    return huge;
  }

  ScratchDirectory scratch_;
  const int directory_fd_;
  FaultySystemCalls calls_;
  std::optional<HugePages> huge_pages_;
  std::vector<int> fds_;
};

TEST_F(HugePagesTest, AFileHasThemAsFarAsTheyAreWhole) {
  DetectOrSkip();
  for (const uint64_t bytes :
       {kHugePageSize, kHugePageSize + 512 * kKiB, 5 * kHugePageSize}) {
    const int fd = MakeFile();
    ASSERT_TRUE(huge_pages_->Fill(fd, bytes, 1).ok());
    ASSERT_EQ(posix_fallocate(fd, 0, static_cast<off_t>(bytes)), 0);
    EXPECT_EQ(AllocatedBytes(fd), bytes);
    EXPECT_EQ(HugeBytes(fd, bytes), HugePages::Whole(bytes));
  }
}

TEST_F(HugePagesTest, SeveralThreadsFillOneFile) {
  DetectOrSkip();
  const int fd = MakeFile();
  const uint64_t bytes = 41 * kHugePageSize;
  ASSERT_TRUE(huge_pages_->Fill(fd, bytes, HugePages::kMaxThreads).ok());
  EXPECT_EQ(HugeBytes(fd, bytes), bytes);
}

TEST_F(HugePagesTest, WhatFailsForOneOfThemFailsForAll) {
  DetectOrSkip();
  calls_.FailNext(Call::kMadvise, EINVAL);
  EXPECT_FALSE(
      huge_pages_->Fill(MakeFile(), 41 * kHugePageSize, HugePages::kMaxThreads)
          .ok());
}

TEST_F(HugePagesTest, OneWindowServesOneAfterTheOther) {
  DetectOrSkip();
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(
        huge_pages_->Fill(MakeFile(), (1 + i % 3) * kHugePageSize, 1).ok());
  }
  EXPECT_EQ(calls_.live().mappings, 1u);
}

TEST_F(HugePagesTest, AnEndedFileIsNotKeptByAWindow) {
  DetectOrSkip();
  ASSERT_TRUE(huge_pages_->Fill(MakeFile(), 32 * kHugePageSize, 2).ok());
  // Not by the room in the filesystem, which others use too.
  std::ifstream maps("/proc/self/maps");
  ASSERT_TRUE(maps.good());
  for (std::string line; std::getline(maps, line);) {
    EXPECT_THAT(line, Not(HasSubstr(scratch_.path())));
  }
}

TEST_F(HugePagesTest, ManyThreadsCollapseAtOnce) {
  DetectOrSkip();
  std::vector<int> files;
  for (int i = 0; i < 16; ++i) files.push_back(MakeFile());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < 16; i += 4) {
        EXPECT_TRUE(huge_pages_->Fill(files[i], 2 * kHugePageSize, 1).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int fd : files) {
    EXPECT_EQ(HugeBytes(fd, 2 * kHugePageSize), 2 * kHugePageSize);
  }
  EXPECT_LE(calls_.live().mappings, 4u);
}

TEST_F(HugePagesTest, WhereTheKernelRefusesThereAreNone) {
  calls_.FailNext(Call::kMadvise, EINVAL);
  const absl::Status detected = huge_pages_->Detect(directory_fd_);
  EXPECT_TRUE(absl::IsFailedPrecondition(detected)) << detected;
  EXPECT_THAT(std::string(detected.message()), HasSubstr("no huge pages: "));
  EXPECT_EQ(huge_pages_->method(), HugePages::Method::kNone);
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

TEST_F(HugePagesTest, WhateverCallFailsItSaysSoAndGoesOn) {
  DetectOrSkip();
  for (const Call call :
       {Call::kTruncate, Call::kWrite, Call::kMmap, Call::kMadvise}) {
    calls_.FailNext(call, ENOMEM);
    EXPECT_FALSE(huge_pages_->Fill(MakeFile(), kHugePageSize, 1).ok())
        << SystemCalls::Name(call);
    EXPECT_TRUE(huge_pages_->Fill(MakeFile(), kHugePageSize, 1).ok());
  }
}

TEST_F(HugePagesTest, AMomentsHindranceIsNoRefusal) {
  DetectOrSkip();
  calls_.FailNext(Call::kMadvise, EAGAIN);
  EXPECT_TRUE(huge_pages_->Fill(MakeFile(), kHugePageSize, 1).ok());
}

}  // namespace
}  // namespace warmpool
