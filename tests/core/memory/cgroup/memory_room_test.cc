#include "core/memory/cgroup/memory_room.h"

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "core/base/byte_size.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/status_matchers.h"

namespace warmpool {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class MemoryRoomTest : public ::testing::Test {
 protected:
  // A limit that leaves as much, beside what is kept.
  void Allow(uint64_t bytes) {
    use_ = MemoryUse{"/group/memory.max", 64 * kMiB, 48 * kMiB - bytes};
  }

  std::optional<MemoryUse> use_;
  std::atomic<int> readings_ = 0;
  FakeClock clock_;
  MemoryRoom room_{[this] {
                     ++readings_;
                     return use_;
                   },
                   &clock_};
};

TEST_F(MemoryRoomTest, KeepsSomethingOfEveryLimit) {
  EXPECT_EQ(MemoryRoom::KeptBytes(4 * kMiB), kMiB);
  EXPECT_EQ(MemoryRoom::KeptBytes(64 * kMiB), 16 * kMiB);
  EXPECT_EQ(MemoryRoom::KeptBytes(64 * kGiB), kGiB);
}

TEST_F(MemoryRoomTest, WithoutALimitThereIsRoomAndNobodyReadsOftenForIt) {
  for (int i = 0; i < 100; ++i) EXPECT_THAT(room_.Take(kGiB), IsOk());
  EXPECT_EQ(room_.FreeBytes(), std::nullopt);
  EXPECT_EQ(readings_, 1);
  clock_.Advance(MemoryRoom::kHoldsWithoutLimit);
  Allow(kMiB);
  EXPECT_FALSE(room_.Take(kGiB).ok()) << "a limit was set meanwhile";
}

TEST_F(MemoryRoomTest, RefusesBeyondItTellingLimitUseAndRemedy) {
  Allow(8 * kMiB);
  EXPECT_THAT(room_.Take(8 * kMiB), IsOk());
  use_->used_bytes += 8 * kMiB;
  EXPECT_THAT(
      room_.Take(4096),
      StatusIs(absl::StatusCode::kResourceExhausted,
               AllOf(HasSubstr("0 bytes free"), HasSubstr("/group/memory.max"),
                     HasSubstr("67108864"), HasSubstr("50331648 in use"),
                     HasSubstr("raise"), HasSubstr("capacity"))));
}

TEST_F(MemoryRoomTest, TwoAtOnceDoNotGetTheSameRoom) {
  Allow(8 * kMiB);
  const auto first = room_.Take(6 * kMiB);
  ASSERT_THAT(first, IsOk());
  EXPECT_FALSE(room_.Take(6 * kMiB).ok()) << "the first is not charged as yet";
  EXPECT_EQ(room_.FreeBytes(), 2 * kMiB);
  EXPECT_THAT(room_.Take(2 * kMiB), IsOk());
}

TEST_F(MemoryRoomTest, WhatWasMadeSinceAReadingIsCountedUntilTheNext) {
  Allow(80 * kKiB);
  for (int i = 0; i < 2; ++i) EXPECT_THAT(room_.Take(4 * kKiB), IsOk());
  EXPECT_EQ(readings_, 1) << "within an eighth";
  EXPECT_EQ(room_.FreeBytes(), 72 * kKiB);
  EXPECT_THAT(room_.Take(4 * kKiB), IsOk());
  EXPECT_EQ(readings_, 2);
  clock_.Advance(MemoryRoom::kHolds);
  EXPECT_THAT(room_.Take(4 * kKiB), IsOk());
  EXPECT_EQ(readings_, 3) << "it has aged";
}

TEST_F(MemoryRoomTest, RoomThatComesBackIsSeenAtOnce) {
  Allow(kMiB);
  EXPECT_FALSE(room_.Take(2 * kMiB).ok());
  Allow(4 * kMiB);
  EXPECT_THAT(room_.Take(2 * kMiB), IsOk());
}

// A reading that is under way when another thread takes room does not forget
// it.
TEST_F(MemoryRoomTest, WhatIsTakenDuringAReadingIsCounted) {
  MemoryRoom* inner = nullptr;
  int depth = 0;
  MemoryRoom room(
      [&]() -> std::optional<MemoryUse> {
        // The reading sees nothing of it, though it is over afterwards.
        if (++depth == 1) {
          EXPECT_THAT(inner->Take(6 * kMiB), IsOk());
        }
        return use_;
      },
      &clock_);
  inner = &room;
  Allow(8 * kMiB);
  EXPECT_FALSE(room.Take(6 * kMiB).ok());
}

TEST_F(MemoryRoomTest, ManyThreadsNeverGetMoreThanThereIs) {
  std::atomic<uint64_t> charged = 0;
  std::atomic<int> refused = 0;
  MemoryRoom room(
      [&] {
        return MemoryUse{"/group/memory.max", 64 * kMiB, charged.load()};
      },
      &clock_);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 400; ++j) {
        const auto claim = room.Take(64 * kKiB);
        if (claim.ok()) {
          charged += 64 * kKiB;
        } else {
          ++refused;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(charged, 48 * kMiB);
  EXPECT_GT(refused, 0);
  EXPECT_GE(charged, 47 * kMiB) << "nearly all of it is used";
}

}  // namespace
}  // namespace warmpool
