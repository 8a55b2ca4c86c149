// What an earlier daemon left: leases that live on, leftovers that a client
// claims, and those that nobody does.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/engine/segment_pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/engine/segment_pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

namespace fs = std::filesystem;

class SegmentPoolLeftoverTest : public SegmentPoolFixture {
 protected:
  static constexpr uid_t kOwner = 1000;

  SegmentPoolLeftoverTest() {
    SegmentPool::Options options = InlineOptions();
    options.leftover_grace = absl::Seconds(30);
    Make(options);
  }

  // Of an earlier daemon; its process has it open.
  Segment MakeLeftover() {
    Segment segment = MakeOrDie(*directory_, 64 * kKiB, kOwner);
    client_.emplace(directory_->PathOf(segment));
    return segment;
  }

  // The name of an adopted one's file.
  std::string Adopt() {
    Segment segment = MakeLeftover();
    const std::string name = segment.file_name();
    pool_->Adopt(std::move(segment));
    return name;
  }

  void TickFor(absl::Duration duration) {
    const absl::Time end = clock_.Now() + duration;
    while (clock_.Now() < end) TickAfter(absl::Milliseconds(100));
  }

  std::optional<Misbehaving> client_;
};

TEST_F(SegmentPoolLeftoverTest, ARecoveredLeaseIsReturnedLikeAnyOther) {
  Segment segment = MakeOrDie(*directory_, 64 * kKiB, kOwner);
  pool_->AdoptLeased(segment);
  pool_->CheckInvariants();
  EXPECT_EQ(In(ByteState::kLeased), 64 * kKiB);
  ExpectEveryByteAccountedFor();
  const std::string name = segment.file_name();
  Return(std::move(segment));
  EXPECT_EQ(In(ByteState::kRetained), 64 * kKiB);
  segment = Acquire(64 * kKiB, kOwner);
  EXPECT_EQ(segment.file_name(), name) << "warm for its uid";
  Return(std::move(segment));
}

TEST_F(SegmentPoolLeftoverTest, RecoveredLeasesCountInAnAdaptiveRing) {
  SegmentPool::Options options = InlineOptions();
  options.bigcache.slots = std::nullopt;
  Make(options);
  std::vector<Segment> segments;
  for (int i = 0; i < 9; ++i) {
    segments.push_back(MakeOrDie(*directory_, 64 * kKiB, kOwner));
    pool_->AdoptLeased(segments.back());
  }
  for (Segment& segment : segments) Return(std::move(segment));
  EXPECT_EQ(pool_->stats().retained_segments, 9u);
}

TEST_F(SegmentPoolLeftoverTest, RecoveredLeasesMayExceedTheCapacity) {
  SegmentPool::Options options = InlineOptions();
  options.capacity_bytes = 64 * kKiB;
  Make(options);
  Segment first = MakeOrDie(*directory_, 64 * kKiB, kOwner);
  Segment second = MakeOrDie(*directory_, 64 * kKiB, kOwner);
  pool_->AdoptLeased(first);
  pool_->AdoptLeased(second);
  EXPECT_EQ(pool_->stats().ledger.free(), 0u);
  EXPECT_THAT(TryAcquire(4096), StatusIs(absl::StatusCode::kResourceExhausted));
  Return(std::move(first));
  Return(std::move(second));
  Segment small = Acquire(4096);
  Return(std::move(small));
}

TEST_F(SegmentPoolLeftoverTest, OverheadGrowsAndTakesOfTheCapacity) {
  SegmentPool::Options options = InlineOptions();
  options.capacity_bytes = kMiB;
  options.overhead_bytes = kPageSize;
  Make(options);
  pool_->AddOverhead(kMiB - 2 * kPageSize);
  EXPECT_EQ(In(ByteState::kOverhead), kMiB - kPageSize);
  Segment segment = Acquire(kPageSize);
  EXPECT_THAT(TryAcquire(1), StatusIs(absl::StatusCode::kResourceExhausted));
  Return(std::move(segment));
}

TEST_F(SegmentPoolLeftoverTest, ItsClientTakesALeftoverBack) {
  const std::string name = Adopt();
  TickFor(absl::Seconds(5));
  std::optional<Segment> segment = pool_->TakeQuarantined(name, kOwner);
  ASSERT_TRUE(segment.has_value());
  pool_->CheckInvariants();
  EXPECT_EQ(segment->file_name(), name);
  EXPECT_FALSE(segment->set_aside());
  EXPECT_EQ(In(ByteState::kLeased), 64 * kKiB);
  EXPECT_EQ(In(ByteState::kQuarantined), 0u);
  EXPECT_FALSE(pool_->TakeQuarantined(name, kOwner).has_value()) << "twice";
  ExpectEveryByteAccountedFor();

  TickFor(absl::Seconds(60));
  EXPECT_TRUE(fs::exists(directory_->PathOf(*segment))) << "it is leased";
  client_->Stop();
  Return(*std::move(segment));
  EXPECT_EQ(In(ByteState::kRetained), 64 * kKiB);
}

TEST_F(SegmentPoolLeftoverTest, NobodyElseTakesIt) {
  const std::string name = Adopt();
  EXPECT_FALSE(pool_->TakeQuarantined(name, kOwner + 1).has_value());
  EXPECT_FALSE(pool_->TakeQuarantined("another.seg", kOwner).has_value());
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
}

TEST_F(SegmentPoolLeftoverTest, WhatWasSetAsideInThisDaemonsLifeStays) {
  Segment segment = Acquire(64 * kKiB, kOwner);
  const std::string name = segment.file_name();
  Misbehaving client = Keep(segment);
  Return(std::move(segment));
  EXPECT_FALSE(pool_->TakeQuarantined(name, kOwner).has_value());
  TickFor(absl::Seconds(2));
  EXPECT_FALSE(pool_->TakeQuarantined(name, kOwner).has_value());
  EXPECT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
}

TEST_F(SegmentPoolLeftoverTest, WhatAnEarlierDaemonHadSetAsideStays) {
  Segment segment = MakeLeftover();
  const std::string name = segment.file_name();
  ASSERT_THAT(directory_->SetAside(&segment), IsOk());
  pool_->Adopt(std::move(segment));
  EXPECT_FALSE(pool_->TakeQuarantined(name, kOwner).has_value());
  TickFor(absl::Seconds(60));
  EXPECT_EQ(calls_.Count(Call::kRename), 1u);
  client_->Stop();
  TickFor(absl::Seconds(1));
  pool_->FlushBatch();
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_F(SegmentPoolLeftoverTest, ALeftoverIsSetAsideAfterItsGrace) {
  const std::string name = Adopt();
  TickFor(absl::Seconds(29));
  EXPECT_TRUE(fs::exists(path_ + "/" + name)) << "its client may come yet";
  TickFor(absl::Seconds(3));
  EXPECT_FALSE(fs::exists(path_ + "/" + name));
  EXPECT_FALSE(pool_->TakeQuarantined(name, kOwner).has_value());
  ExpectEveryByteAccountedFor();
}

TEST_F(SegmentPoolLeftoverTest, ALeftoverStaysOneForTheDaemonAfterThis) {
  const std::string name = Adopt();
  pool_.reset();
  EXPECT_TRUE(fs::exists(path_ + "/" + name));
}

TEST_F(SegmentPoolLeftoverTest, AStrayIsEndedOnceNobodyHasIt) {
  const std::string path = path_ + "/notes.txt";
  std::ofstream(path) << std::string(10'000, 'x');
  client_.emplace(path);
  std::vector<std::string> unknown;
  std::vector<Segment> found =
      directory_->FindLeftovers(SizeClasses(), &unknown).value();
  for (Segment& segment : found) pool_->Adopt(std::move(segment));
  EXPECT_EQ(pool_->stats().quarantined_segments, 1u);
  EXPECT_GE(In(ByteState::kQuarantined), 10'000u);
  ExpectEveryByteAccountedFor();
  TickFor(absl::Seconds(40));
  EXPECT_GE(In(ByteState::kQuarantined), 10'000u);
  client_->Stop();
  TickFor(absl::Seconds(1));
  pool_->FlushBatch();
  EXPECT_EQ(pool_->stats().ledger.used(), 0u);
  EXPECT_EQ(pool_->stats().quarantined_segments, 0u);
  EXPECT_EQ(AllocatedBytes(path_), 0u);
}

TEST_F(SegmentPoolLeftoverTest, AClaimDoesNotWaitForTheProbesOfThousands) {
  std::vector<Misbehaving> clients;
  std::string last;
  for (int i = 0; i < 200; ++i) {
    Segment segment = MakeOrDie(*directory_, 4096, kOwner);
    clients.emplace_back(directory_->PathOf(segment));
    last = segment.file_name();
    pool_->Adopt(std::move(segment));
  }
  std::optional<Segment> taken;
  // In the midst of the first probe, and on its thread: whoever is out with it
  // would be waited for in vain.
  calls_.BeforeNext(Call::kFcntl, [&] {
    taken = pool_->TakeQuarantined(last, kOwner);
    EXPECT_EQ(pool_->stats().quarantined_segments, 199u);
  });
  const uint64_t before = calls_.Count(Call::kFcntl);
  TickAfter(absl::Milliseconds(1));
  EXPECT_EQ(calls_.Count(Call::kFcntl) - before, 199u)
      << "all that are due are probed";
  ASSERT_TRUE(taken.has_value());
  clients.clear();
  Return(*std::move(taken));
  pool_->Drain();
  EXPECT_EQ(pool_->stats().quarantined_segments, 0u);
  EXPECT_EQ(CountSegmentFiles(path_), 0u);
}

TEST_F(SegmentPoolLeftoverTest, ALeftoverThatIsOutForAProbeIsWaitedFor) {
  // A client must not be told that its segment is gone because of the moment
  // at which it asks.
  const std::string name = Adopt();
  std::optional<Segment> taken;
  std::atomic<bool> asks = false;
  std::thread client;
  calls_.BeforeNext(Call::kFcntl, [&] {
    client = std::thread([&] {
      asks = true;
      taken = pool_->TakeQuarantined(name, kOwner);
    });
    while (!asks) std::this_thread::yield();
  });
  TickAfter(absl::Milliseconds(1));
  client.join();
  ASSERT_TRUE(taken.has_value());
  pool_->CheckInvariants();
  EXPECT_EQ(In(ByteState::kLeased), 64 * kKiB);
  client_->Stop();
  Return(*std::move(taken));
}

}  // namespace
}  // namespace warmpool
