#include "core/engine/quarantine.h"

#include <optional>
#include <string>
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

  void Add(size_t bytes) { quarantine_.Add(Handle(bytes), clock_.Now()); }

  // One whose file has the name.
  void AddLeftover(const std::string& name, bool set_aside = false) {
    Segment segment = Handle(4096);
    segment.parts().file_name = name;
    segment.parts().set_aside = set_aside;
    quarantine_.AddLeftover(std::move(segment), clock_.Now(), kGrace);
  }

  bool TakeLeftover(const std::string& name, uid_t owner = 1000) {
    std::optional<Quarantine::Entry> entry =
        quarantine_.TakeLeftover(name, owner);
    if (!entry.has_value()) return false;
    EXPECT_EQ(entry->segment.file_name(), name);
    Detach(std::move(*entry));
    return true;
  }

  // Lets go of what no system call has made.
  static void Detach(Quarantine::Entry entry) { entry.segment.parts() = {}; }

  static constexpr absl::Duration kGrace = absl::Minutes(1);

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

TEST_F(QuarantineTest, WhatDoesNotSettleIsToBeSetAside) {
  Add(4096);
  auto due = DueAfter(Quarantine::kFirstPause);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].set_aside_at, due[0].settles_at);
}

TEST_F(QuarantineTest, WhatAnEarlierDaemonLeftNeverSettlesAndStaysForAGrace) {
  const absl::Time added = clock_.Now();
  AddLeftover("a.seg");
  AddLeftover("aside.seg", /*set_aside=*/true);
  for (Quarantine::Entry& entry : DueAfter(Quarantine::kFirstPause)) {
    EXPECT_FALSE(entry.Settling(clock_.Now()));
    EXPECT_EQ(entry.set_aside_at, entry.segment.set_aside()
                                      ? absl::InfiniteFuture()
                                      : added + kGrace);
    Detach(std::move(entry));
  }
}

TEST_F(QuarantineTest, ALeftoverIsTakenOutByItsOwnerOnce) {
  AddLeftover("a.seg");
  AddLeftover("b.seg");
  EXPECT_FALSE(TakeLeftover("c.seg"));
  EXPECT_FALSE(TakeLeftover("a.seg", /*owner=*/1001));
  EXPECT_TRUE(TakeLeftover("a.seg"));
  EXPECT_FALSE(TakeLeftover("a.seg"));
  EXPECT_EQ(quarantine_.size(), 1u);
  EXPECT_TRUE(TakeLeftover("b.seg"));
  EXPECT_EQ(quarantine_.NextProbe(), absl::InfiniteFuture());
}

TEST_F(QuarantineTest, ALeftoverStaysOneThroughItsProbes) {
  AddLeftover("a.seg");
  for (int probe = 0; probe < 3; ++probe) {
    auto due = DueAfter(absl::Seconds(1));
    ASSERT_EQ(due.size(), 1u);
    EXPECT_FALSE(TakeLeftover("a.seg")) << "it is out";
    quarantine_.PutBack(std::move(due[0]), clock_.Now());
  }
  EXPECT_TRUE(TakeLeftover("a.seg"));
}

TEST_F(QuarantineTest, WhatIsSetAsideOrWasNeverALeftoverIsNotTakenOut) {
  AddLeftover("aside.seg", /*set_aside=*/true);
  EXPECT_FALSE(TakeLeftover("aside.seg"));
  Segment returned = Handle(4096);
  returned.parts().file_name = "returned.seg";
  quarantine_.Add(std::move(returned), clock_.Now());
  EXPECT_FALSE(TakeLeftover("returned.seg"));

  AddLeftover("a.seg");
  for (Quarantine::Entry& entry : DueAfter(Quarantine::kFirstPause)) {
    if (entry.segment.file_name() == "a.seg") {
      entry.segment.parts().set_aside = true;
      quarantine_.PutBack(std::move(entry), clock_.Now());
    } else {
      Detach(std::move(entry));
    }
  }
  EXPECT_FALSE(TakeLeftover("a.seg"));
  for (Quarantine::Entry& entry : quarantine_.TakeAll()) {
    Detach(std::move(entry));
  }
}

TEST_F(QuarantineTest, SomeOfThoseThatAreDueCanBeTakenAtATime) {
  for (int i = 0; i < 5; ++i) Add(4096);
  clock_.Advance(Quarantine::kFirstPause);
  for (const size_t taken : {2, 2, 1, 0}) {
    EXPECT_EQ(quarantine_.TakeDue(clock_.Now(), 2).size(), taken);
  }
}

TEST_F(QuarantineTest, UidsAreProbedInTurn) {
  for (int i = 0; i < 100; ++i) Add(4096);
  quarantine_.Add(Segment(SizeClass{0}, 8192, /*owner=*/2000), clock_.Now());
  clock_.Advance(Quarantine::kFirstPause);
  std::vector<Quarantine::Entry> due = quarantine_.TakeDue(clock_.Now(), 2);
  ASSERT_EQ(due.size(), 3u);
  EXPECT_EQ(due.back().segment.owner(), 2000u);
  EXPECT_EQ(quarantine_.size(), 98u);
}

TEST_F(QuarantineTest, TheMoreAUidHasTheLongerAreItsPausesAndNobodyElses) {
  constexpr size_t kMany = 30'000;
  for (size_t i = 0; i < kMany; ++i) Add(4096);
  quarantine_.Add(Segment(SizeClass{0}, 8192, /*owner=*/2000), clock_.Now());
  size_t probes = 0;
  size_t probes_of_other = 0;
  const absl::Time end = clock_.Now() + absl::Seconds(20);
  while (clock_.Now() < end) {
    for (Quarantine::Entry& entry : DueAfter(absl::Milliseconds(10))) {
      ++(entry.segment.owner() == 2000 ? probes_of_other : probes);
      quarantine_.PutBack(std::move(entry), clock_.Now());
    }
  }
  // The first of each comes at once.
  EXPECT_LE(probes,
            kMany + 20 * (absl::Seconds(1) / Quarantine::kPausePerSegment));
  EXPECT_GE(probes_of_other, 20u);
}

TEST_F(QuarantineTest, AllCanBeMadeDueAndStayWhatTheyAre) {
  AddLeftover("a.seg");
  auto due = DueAfter(Quarantine::kFirstPause);
  for (int probe = 0; probe < 12; ++probe) {
    quarantine_.PutBack(std::move(due[0]), clock_.Now());
    due = DueAfter(Quarantine::kLongestPause);
  }
  quarantine_.PutBack(std::move(due[0]), clock_.Now());
  Add(8192);
  quarantine_.MakeAllDue(clock_.Now());
  EXPECT_EQ(quarantine_.NextProbe(), clock_.Now());
  EXPECT_TRUE(TakeLeftover("a.seg"));
  EXPECT_EQ(DueAfter(absl::ZeroDuration()).size(), 1u);
}

TEST_F(QuarantineTest, AllCanBeTakenBeforeTheyAreDue) {
  for (const size_t bytes : {4096, 8192, 12288}) Add(bytes);
  EXPECT_EQ(quarantine_.TakeAll().size(), 3u);
  EXPECT_EQ(quarantine_.size(), 0u);
  EXPECT_EQ(quarantine_.bytes(), 0u);
}

TEST_F(QuarantineTest, WhatIsOutForAProbeCountsUntilItIsBackOrElsewhere) {
  Add(4096);
  Add(8192);
  auto due = DueAfter(Quarantine::kFirstPause);
  ASSERT_EQ(due.size(), 2u);
  EXPECT_EQ(quarantine_.probing().segments(), 2u);
  EXPECT_EQ(quarantine_.probing().bytes(), 3 * 4096u);
  quarantine_.CheckInvariants();
  quarantine_.PutBack(std::move(due[0]), clock_.Now());
  EXPECT_EQ(quarantine_.size(), 1u);
  EXPECT_EQ(quarantine_.probing().segments(), 1u);
  quarantine_.OnLeft(due[1].segment.bytes());
  EXPECT_EQ(quarantine_.probing().segments(), 0u);
  EXPECT_EQ(quarantine_.probing().bytes(), 0u);
  quarantine_.CheckInvariants();
}

TEST_F(QuarantineTest, AClaimWaitsForALeftoverThatIsOutForAProbe) {
  AddLeftover("one");
  EXPECT_FALSE(quarantine_.IsProbingLeftover("one"));
  auto due = DueAfter(Quarantine::kFirstPause);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_TRUE(quarantine_.IsProbingLeftover("one"));
  EXPECT_FALSE(TakeLeftover("one"));
  quarantine_.PutBack(std::move(due[0]), clock_.Now());
  quarantine_.ForgetProbingLeftover("one");
  quarantine_.CheckInvariants();
  EXPECT_FALSE(quarantine_.IsProbingLeftover("one"));
  EXPECT_TRUE(TakeLeftover("one"));
  quarantine_.CheckInvariants();
}

TEST_F(QuarantineTest, NothingMayBeAddedOnceItIsClosed) {
  Add(4096);
  EXPECT_TRUE(quarantine_.is_open());
  EXPECT_EQ(quarantine_.Close().size(), 1u);
  EXPECT_FALSE(quarantine_.is_open());
  EXPECT_EQ(quarantine_.probing().segments(), 0u);
  quarantine_.CheckInvariants();
  EXPECT_DEATH(Add(4096), "closed");
}

}  // namespace
}  // namespace warmpool
