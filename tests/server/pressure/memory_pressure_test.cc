#include "server/pressure/memory_pressure.h"

#include <atomic>
#include <string>

#include "core/base/byte_size.h"
#include "gtest/gtest.h"
#include "server/pressure/pressure_watch.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/memory/fake_cgroups.h"

namespace warmpool {
namespace {

// No kernel tells here: what stands for its files can't be polled.
class MemoryPressureTest : public ::testing::Test {
 protected:
  void SetUp() override { SetAvailable(50); }

  void SetAvailable(int percent) {
    cgroups_.Write("/proc/meminfo",
                   "MemTotal:       1000000 kB\nMemFree:          10 kB\n"
                   "MemAvailable:   " +
                       std::to_string(percent * 10000) +
                       " kB\nHugePages_Total:       0\n");
  }
  absl::Time LookAfter(absl::Duration duration) {
    clock_.Advance(duration);
    return pressure_.Poll();
  }

  FakeCgroups cgroups_{"/daemon"};
  FakeClock clock_;
  MemoryLimit limit_ = MemoryLimit::Find(cgroups_.root());
  std::atomic<uint64_t> kept_ = 0;
  MemoryPressure pressure_{&limit_,
                           &clock_,
                           {.shed = [this] { return kept_.exchange(0); },
                            .kept_bytes = [this] { return kept_.load(); }},
                           cgroups_.root()};
};

TEST_F(MemoryPressureTest, WithoutTheKernelsWordTheRoomTells) {
  pressure_.Start();
  EXPECT_FALSE(pressure_.counts().told_by_kernel);
  kept_ = 5 * kMiB;
  EXPECT_EQ(pressure_.Poll(), clock_.Now() + MemoryPressure::kLookEvery);
  EXPECT_EQ(pressure_.counts().events, 0u);
  SetAvailable(1);
  LookAfter(MemoryPressure::kLookEvery);
  EXPECT_EQ(pressure_.counts().events, 1u);
  EXPECT_EQ(pressure_.counts().ended_bytes, 5 * kMiB);
}

TEST_F(MemoryPressureTest, WhereNothingIsKeptNobodyLooks) {
  SetAvailable(1);
  EXPECT_EQ(pressure_.Poll(), absl::InfiniteFuture());
  EXPECT_EQ(pressure_.counts().events, 0u);
  // What is kept soon afterwards is not forgotten.
  kept_ = kMiB;
  const absl::Time next = LookAfter(absl::Milliseconds(300));
  EXPECT_EQ(next, clock_.Now() + absl::Milliseconds(700));
  LookAfter(absl::Milliseconds(700));
  EXPECT_EQ(pressure_.counts().events, 1u);
}

TEST_F(MemoryPressureTest, AGroupNearItsLimitIsShortOfMemory) {
  cgroups_.SetMax("/daemon", std::to_string(64 * kMiB));
  cgroups_.SetCurrent("/daemon", 50 * kMiB);
  kept_ = kMiB;
  pressure_.Poll();
  EXPECT_EQ(pressure_.counts().events, 0u);
  cgroups_.SetCurrent("/daemon", 57 * kMiB);
  LookAfter(MemoryPressure::kLookEvery);
  EXPECT_EQ(pressure_.counts().events, 1u);
}

TEST(PressureWatchTest, AMissingFileOrOneThatIsNotTheKernelsIsAnError) {
  PressureWatch watch;
  EXPECT_EQ(watch.Start({}, [] {}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(watch.Start({"/proc/pressure/nothing"}, [] {}).code(),
            absl::StatusCode::kNotFound);
}

TEST(PressureWatchTest, TheKernelsFileIsWatchedWhereThereIsOne) {
  PressureWatch watch;
  const absl::Status started =
      watch.Start({"/nowhere/memory.pressure", "/proc/pressure/memory"}, [] {});
  if (!started.ok()) GTEST_SKIP() << started;
  watch.Stop();
  watch.Stop();
}

}  // namespace
}  // namespace warmpool
