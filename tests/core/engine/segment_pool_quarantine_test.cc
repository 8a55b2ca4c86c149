// Segments that somebody still has, and those whose files were tampered with:
// where they go, and that every byte stays accounted for.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/engine/segment_pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/engine/segment_pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

namespace fs = std::filesystem;

class SegmentPoolQuarantineTest : public SegmentPoolFixture {
 protected:
  SegmentPoolQuarantineTest() { Make(InlineOptions()); }

  // A returned segment that `*client` still has; its path under its lease.
  std::string ReturnKept(std::optional<Misbehaving>* client) {
    Segment segment = Acquire(64 * kKiB);
    const std::string path = directory_->PathOf(segment);
    client->emplace(path);
    Return(std::move(segment));
    return path;
  }

  // Ticks as the pool asks for it.
  void TickFor(absl::Duration duration) {
    const absl::Time end = clock_.Now() + duration;
    while (clock_.Now() < end) TickAfter(absl::Milliseconds(1));
  }

  std::string AsideOf(const std::string& path) const {
    return path_ + "/private/" + fs::path(path).filename().string();
  }

  void ExpectNothingLeft() {
    pool_->FlushBatch();
    EXPECT_EQ(pool_->stats().ledger.used(), 0u);
    EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
    EXPECT_EQ(AllocatedBytes(scratch_.path()), 0u);
  }
};

TEST_F(SegmentPoolQuarantineTest, WhatSettlesInTimeIsWarmUnderAnotherName) {
  std::optional<Misbehaving> dying;
  const std::string path = ReturnKept(&dying);
  TickFor(Quarantine::kSettleTime - absl::Milliseconds(40));
  EXPECT_TRUE(fs::exists(path));
  dying->Stop();
  TickFor(absl::Milliseconds(35));
  Segment segment = Acquire(64 * kKiB);
  EXPECT_EQ(last_warmth_, Warmth::kWarm);
  EXPECT_NE(directory_->PathOf(segment), path);
  EXPECT_FALSE(fs::exists(path));
  Return(std::move(segment));
}

TEST_F(SegmentPoolQuarantineTest, WhatDoesNotIsOutOfEverybodysReach) {
  std::optional<Misbehaving> client;
  const std::string path = ReturnKept(&client);
  TickFor(3 * Quarantine::kSettleTime);
  EXPECT_FALSE(fs::exists(path));
  EXPECT_TRUE(fs::exists(AsideOf(path)));
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
  ExpectEveryByteAccountedFor();

  TickFor(absl::Seconds(20));
  EXPECT_EQ(calls_.Count(Call::kRename), 1u) << "once";
  client->Stop();
  TickAfter(Quarantine::kLongestPause);
  EXPECT_EQ(pool_->stats().retained_segments, 0u);
  EXPECT_EQ(pool_->stats().failed_set_asides, 0u);
  ExpectEveryByteAccountedFor();
  ExpectNothingLeft();
}

TEST_F(SegmentPoolQuarantineTest, NoLockIsHeldWhileItIsSetAside) {
  std::optional<Misbehaving> client;
  ReturnKept(&client);
  uint64_t quarantined = 0;
  calls_.BeforeNext(Call::kRename,
                    [&] { quarantined = In(ByteState::kQuarantined); });
  TickFor(3 * Quarantine::kSettleTime);
  EXPECT_EQ(quarantined, 64 * kKiB);
}

TEST_F(SegmentPoolQuarantineTest, ARenameThatFailsIsTriedAgain) {
  std::optional<Misbehaving> client;
  const std::string path = ReturnKept(&client);
  calls_.FailNext(Call::kRename, ENOMEM, 2);
  TickFor(absl::Seconds(3));
  EXPECT_EQ(pool_->stats().failed_set_asides, 2u);
  EXPECT_TRUE(fs::exists(AsideOf(path)));
  client->Stop();
  TickAfter(Quarantine::kLongestPause);
  ExpectNothingLeft();
}

TEST_F(SegmentPoolQuarantineTest, ANameThatIsGoneIsNoLongerSought) {
  for (const bool unlinks : {true, false}) {
    const std::string elsewhere = scratch_.Join("elsewhere");
    std::optional<Misbehaving> client;
    const std::string path = ReturnKept(&client);
    ASSERT_EQ(unlinks ? unlink(path.c_str())
                      : rename(path.c_str(), elsewhere.c_str()),
              0);
    const uint64_t failed = pool_->stats().failed_set_asides;
    TickFor(absl::Seconds(5));
    EXPECT_EQ(pool_->stats().failed_set_asides, failed + 1);
    EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);

    client->Stop();
    TickAfter(Quarantine::kLongestPause);
    ExpectNothingLeft();
    unlink(elsewhere.c_str());
  }
}

TEST_F(SegmentPoolQuarantineTest, ItsOtherNameKeepsNoPages) {
  // Open for now: set aside. Then nobody has it, but a name remains.
  const std::string elsewhere = scratch_.Join("elsewhere");
  std::optional<Misbehaving> client;
  Segment segment = Acquire(64 * kKiB);
  const std::string path = directory_->PathOf(segment);
  ASSERT_EQ(link(path.c_str(), elsewhere.c_str()), 0);
  client.emplace(elsewhere);
  Return(std::move(segment));
  TickFor(absl::Seconds(2));
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
  ExpectEveryByteAccountedFor();
  EXPECT_EQ(AllocatedBytes(scratch_.path()), 2 * 64 * kKiB) << "by both names";

  client->Stop();
  TickAfter(Quarantine::kLongestPause);
  EXPECT_TRUE(fs::exists(elsewhere));
  ExpectNothingLeft();
}

TEST_F(SegmentPoolQuarantineTest, AHardLinkThatNobodyHasOpenCostsThePages) {
  Segment segment = Acquire(64 * kKiB);
  const std::string elsewhere = scratch_.Join("elsewhere");
  ASSERT_EQ(link(directory_->PathOf(segment).c_str(), elsewhere.c_str()), 0);
  Return(std::move(segment));
  EXPECT_EQ(pool_->stats().retained_segments, 0u);
  EXPECT_EQ(pool_->stats().quarantined_segments, 0u);
  ExpectNothingLeft();
}

TEST_F(SegmentPoolQuarantineTest, AHardLinkMadeWhileItIsRetainedDoesToo) {
  Segment segment = Acquire(64 * kKiB);
  const std::string path = directory_->PathOf(segment);
  Return(std::move(segment));
  ASSERT_EQ(link(path.c_str(), scratch_.Join("elsewhere").c_str()), 0);
  TickAfter(absl::Seconds(10));
  ExpectNothingLeft();
}

TEST_F(SegmentPoolQuarantineTest, ARetainedFileThatIsRenamedLeavesNothing) {
  Segment segment = Acquire(64 * kKiB);
  const std::string path = directory_->PathOf(segment);
  Return(std::move(segment));
  ASSERT_EQ(rename(path.c_str(), scratch_.Join("elsewhere").c_str()), 0);
  TickAfter(absl::Seconds(10));
  ExpectNothingLeft();
}

TEST_F(SegmentPoolQuarantineTest,
       ARetainedSegmentThatSomebodyOpenedIsNotEnded) {
  // It goes cold in the meantime: its pages would be there, counted by nobody.
  Segment segment = Acquire(64 * kKiB);
  const std::string path = directory_->PathOf(segment);
  Return(std::move(segment));
  Misbehaving client(path);
  TickAfter(absl::Seconds(10));
  EXPECT_EQ(In(ByteState::kRetained), 0u);
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
  EXPECT_EQ(pool_->stats().acquired.failed_proofs, 1u);
  ExpectEveryByteAccountedFor();
  TickFor(absl::Seconds(1));
  EXPECT_TRUE(fs::exists(AsideOf(path)));
  client.Stop();
  TickAfter(Quarantine::kLongestPause);
  ExpectNothingLeft();
}

TEST_F(SegmentPoolQuarantineTest, ATickThatFillsItLeavesNothingDue) {
  Segment retained = Acquire(64 * kKiB);
  Segment kept = Acquire(64 * kKiB);
  const std::string path = directory_->PathOf(retained);
  const Misbehaving client(directory_->PathOf(kept));
  Return(std::move(retained));
  Return(std::move(kept));
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
  // By when it is evicted it is in use, and the other is due.
  const Misbehaving late(path);
  clock_.Advance(absl::Seconds(10));
  EXPECT_GT(pool_->Tick(), clock_.Now());
  EXPECT_EQ(In(ByteState::kQuarantined), 2 * 64 * kKiB);
}

TEST_F(SegmentPoolQuarantineTest, AnEvictionThatIsInUseDoesNotShrinkARing) {
  // It was counted as out of use when it was retained, not once more.
  SegmentPool::Options options = InlineOptions();
  options.bigcache.slots = std::nullopt;
  Make(options);
  std::vector<Segment> segments;
  for (int i = 0; i < 4; ++i) segments.push_back(Acquire(64 * kKiB));
  for (int i = 0; i < 4; ++i) {
    Segment extra = Acquire(64 * kKiB, /*owner=*/1000);
    const std::string path = directory_->PathOf(extra);
    Return(std::move(extra));
    Misbehaving client(path);
    TickAfter(absl::Seconds(10));
    client.Stop();
    TickAfter(Quarantine::kLongestPause);
  }
  ASSERT_EQ(pool_->stats().acquired.failed_proofs, 4u);
  for (int i = 0; i < 5; ++i) segments.push_back(Acquire(64 * kKiB));
  for (Segment& segment : segments) Return(std::move(segment));
  EXPECT_EQ(pool_->stats().retained_segments, 9u);
}

TEST_F(SegmentPoolQuarantineTest, WhatIsEndedInUseKeepsItsPagesForItsUsers) {
  // A revoked lease's mapping must not become a SIGBUS.
  Segment segment = Acquire(64 * kKiB);
  const std::string elsewhere = scratch_.Join("elsewhere");
  ASSERT_EQ(link(directory_->PathOf(segment).c_str(), elsewhere.c_str()), 0);
  Misbehaving client(elsewhere);
  pool_->Free(std::move(segment));
  pool_->FlushBatch();
  EXPECT_EQ(AllocatedBytes(scratch_.path()), 64 * kKiB);

  std::optional<Misbehaving> other;
  const std::string path = ReturnKept(&other);
  ASSERT_EQ(link(path.c_str(), scratch_.Join("second").c_str()), 0);
  pool_->FreeQuarantined();
  EXPECT_EQ(AllocatedBytes(scratch_.path()), 2 * 64 * kKiB);
  EXPECT_EQ(calls_.Count(Call::kTruncate), 0u);
}

TEST_F(SegmentPoolQuarantineTest, AtTheEndItIsSetAsideForTheNextDaemon) {
  // Which can't know otherwise that its lease has ended.
  std::optional<Misbehaving> client;
  const std::string path = ReturnKept(&client);
  pool_.reset();
  EXPECT_FALSE(fs::exists(path));
  directory_.reset();

  directory_ = OpenOrDie();
  Make(InlineOptions());
  std::vector<std::string> unknown;
  std::vector<Segment> leftovers =
      directory_->FindLeftovers(SizeClasses(), &unknown).value();
  for (Segment& segment : leftovers) {
    pool_->Adopt(std::move(segment));
  }
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
  TickFor(absl::Seconds(2));
  EXPECT_TRUE(fs::exists(AsideOf(path)));
  ExpectEveryByteAccountedFor();
  client->Stop();
  TickAfter(Quarantine::kLongestPause);
  pool_->FlushBatch();
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

}  // namespace
}  // namespace warmpool
