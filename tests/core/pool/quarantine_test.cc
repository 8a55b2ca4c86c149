#include "core/pool/quarantine.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

class QuarantineTest : public testing::Test {
 protected:
  // A handle of nothing, told by its bytes.
  static Segment Handle(size_t bytes) {
    return Segment(SizeClass{0}, bytes, 1000);
  }

  void Add(size_t bytes, bool settling = true) {
    quarantine_.Add(Handle(bytes), clock_.Now(), settling);
  }

  std::vector<Quarantine::Entry> DueAfter(absl::Duration duration) {
    clock_.Advance(duration);
    return quarantine_.TakeDue(clock_.Now());
  }

  FakeClock clock_;
  Quarantine quarantine_;
};

TEST_F(QuarantineTest, ProbesSoonAfterTheLease) {
  EXPECT_EQ(quarantine_.NextProbe(), absl::InfiniteFuture());
  Add(4096);
  EXPECT_EQ(quarantine_.NextProbe(), clock_.Now() + Quarantine::kFirstPause);
  EXPECT_TRUE(DueAfter(absl::ZeroDuration()).empty());
  const auto due = DueAfter(Quarantine::kFirstPause);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].segment.bytes(), 4096u);
  EXPECT_EQ(quarantine_.size(), 0u);
}

TEST_F(QuarantineTest, PausesDoubleUpToTheLongest) {
  Add(4096);
  absl::Duration expected = Quarantine::kFirstPause;
  for (int probe = 0; probe < 20; ++probe) {
    EXPECT_EQ(quarantine_.NextProbe() - clock_.Now(), expected) << probe;
    auto due = DueAfter(expected);
    ASSERT_EQ(due.size(), 1u);
    quarantine_.PutBack(std::move(due[0]), clock_.Now());
    expected = std::min(expected * 2, Quarantine::kLongestPause);
  }
  EXPECT_EQ(expected, Quarantine::kLongestPause);
}

TEST_F(QuarantineTest, TakesOnlyWhatIsDue) {
  Add(4096);
  auto first = DueAfter(absl::Milliseconds(1));
  ASSERT_EQ(first.size(), 1u);
  quarantine_.PutBack(std::move(first[0]), clock_.Now());
  Add(8192);
  EXPECT_EQ(quarantine_.bytes(), 3 * 4096u);
  const auto due = DueAfter(absl::Milliseconds(1));
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].segment.bytes(), 8192u);
  EXPECT_EQ(quarantine_.bytes(), 4096u);
}

TEST_F(QuarantineTest, SettlesForAMomentOnly) {
  Add(4096);
  auto due = DueAfter(Quarantine::kSettleTime - absl::Nanoseconds(1));
  ASSERT_EQ(due.size(), 1u);
  EXPECT_TRUE(due[0].Settling(clock_.Now()));
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_FALSE(due[0].Settling(clock_.Now()));
  quarantine_.PutBack(std::move(due[0]), clock_.Now());
  EXPECT_FALSE(quarantine_.TakeAll()[0].Settling(clock_.Now()));
}

TEST_F(QuarantineTest, WhatAnEarlierDaemonLeftNeverSettles) {
  Add(4096, /*settling=*/false);
  const auto due = DueAfter(Quarantine::kFirstPause);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_FALSE(due[0].Settling(clock_.Now()));
}

TEST_F(QuarantineTest, AllCanBeTakenBeforeTheyAreDue) {
  for (const size_t bytes : {4096, 8192, 12288}) Add(bytes);
  EXPECT_EQ(quarantine_.TakeAll().size(), 3u);
  EXPECT_EQ(quarantine_.size(), 0u);
  EXPECT_EQ(quarantine_.bytes(), 0u);
}

}  // namespace
}  // namespace warmpool
