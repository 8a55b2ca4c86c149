// A pool in a control group that allows less than its capacity promises.
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/byte_size.h"
#include "core/memory/cgroup/memory_limit.h"
#include "core/memory/cgroup/memory_room.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/engine/segment_pool_fixture.h"
#include "tests/core/memory/fake_cgroups.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SegmentPoolMemoryLimitTest : public SegmentPoolFixture {
 protected:
  ~SegmentPoolMemoryLimitTest() override {
    pool_.reset();
    directory_.reset();
  }

  void SetUp() override {
    cgroups_.SetMax("/daemon", std::to_string(64 * kMiB));
    directory_.reset();
    directory_ = Open(path_, &calls_, {.memory_room = &room_}).value();
    SegmentPool::Options options = InlineOptions();
    options.capacity_bytes = kGiB;
    Make(options);
  }

  // 64 MiB, of which 16 are kept, 40 used by others, and the pool's files.
  std::optional<MemoryUse> ReadAsCharged() {
    MutexLock lock(&mutex_);
    cgroups_.SetCurrent("/daemon", 40 * kMiB + AllocatedBytes(path_));
    return limit_.Read();
  }

  // Of the files that stand for the group's.
  Mutex mutex_;
  FakeCgroups cgroups_{"/daemon"};
  const MemoryLimit limit_ = MemoryLimit::Find(cgroups_.root());
  MemoryRoom room_{[this] { return ReadAsCharged(); }, &clock_};
};

TEST_F(SegmentPoolMemoryLimitTest, BeyondItALeaseIsRefusedWithLimitAndRemedy) {
  Segment first = Acquire(4 * kMiB);
  EXPECT_THAT(TryAcquire(8 * kMiB),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("daemon/memory.max, which is 67108864"),
                             HasSubstr("bytes free"), HasSubstr("raise"))));
  ExpectEveryByteAccountedFor();
  // As much as is left.
  Segment second = Acquire(3 * kMiB);
  Return(std::move(first));
  Return(std::move(second));
}

TEST_F(SegmentPoolMemoryLimitTest, WhatIsRetainedMakesRoom) {
  Return(Acquire(5 * kMiB));
  ASSERT_EQ(In(ByteState::kRetained), 5 * kMiB);
  Segment other = Acquire(6 * kMiB);
  EXPECT_EQ(last_warmth_, Warmth::kFresh);
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  ExpectEveryByteAccountedFor();
  Return(std::move(other));
}

TEST_F(SegmentPoolMemoryLimitTest, ARaisedLimitIsSeen) {
  EXPECT_FALSE(TryAcquire(16 * kMiB).ok());
  cgroups_.SetMax("/daemon", std::to_string(96 * kMiB));
  Return(Acquire(16 * kMiB));
}

TEST_F(SegmentPoolMemoryLimitTest, StockIsMadeOfWhatItLeaves) {
  EXPECT_LE(directory_->FreeBytes().value(), 8 * kMiB);
  cgroups_.SetMax("/daemon", "max");
  clock_.Advance(MemoryRoom::kHolds);
  EXPECT_GT(directory_->FreeBytes().value(), 8 * kMiB);
}

TEST_F(SegmentPoolMemoryLimitTest, ManyAtOnceStayWithinIt) {
  Mutex mutex;
  std::vector<Segment> got;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 4; ++j) {
        auto acquired = pool_->Acquire({.owner = 1000, .bytes = kMiB});
        if (!acquired.ok()) continue;
        MutexLock lock(&mutex);
        got.push_back(std::move(acquired->segment));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  pool_->CheckInvariants();
  EXPECT_LE(AllocatedBytes(path_), 8 * kMiB);
  EXPECT_GE(got.size(), 4u);
  for (Segment& segment : got) Return(std::move(segment));
}

}  // namespace
}  // namespace warmpool
