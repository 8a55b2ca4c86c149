// Growth and compaction of the journal ahead of need.
#include <errno.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "core/base/mutex.h"
#include "core/journal/journal.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

using ::testing::Not;

using Call = SystemCalls::Call;

class JournalUpkeepTest : public JournalFixture {
 protected:
  void SetUp() override { ASSERT_THAT(Open(), IsOk()); }

  void Grant() {
    live_.push_back(MakeLeaseRecord(next_++));
    ASSERT_THAT(journal_->AppendGrant(live_.back()), IsOk());
  }
  void EndOldest() {
    ASSERT_THAT(journal_->AppendEnd(live_.front().id), IsOk());
    live_.pop_front();
  }
  // So that a compaction is due, or growth.
  void FillUntilCompactionIsDue() {
    while (!journal_->UpkeepDue()) {
      Grant();
      EndOldest();
    }
  }
  void FillUntilGrowthIsDue() {
    while (!journal_->UpkeepDue()) Grant();
  }
  // An append that finds no room makes it.
  void FillUntilItWaits() {
    const uint64_t waits = journal_->waits();
    while (journal_->waits() == waits) {
      Grant();
      EndOldest();
    }
  }

  void ExpectWhole() {
    journal_->CheckInvariants();
    EXPECT_EQ(OnFile(), std::vector(live_.begin(), live_.end()));
    EXPECT_EQ(std::filesystem::file_size(directory_.Join("journal")),
              std::filesystem::file_size(directory_.Join("journal.spare")));
  }

  uint64_t next_ = 1;
  std::deque<LeaseRecord> live_;
};

TEST_F(JournalUpkeepTest, GrowsBeforeAnyGrantMustWait) {
  for (int i = 0; i < 1000; ++i) {
    Grant();
    ASSERT_THAT(Keep(), IsOk());
  }
  EXPECT_EQ(journal_->waits(), 0u);
  EXPECT_GE(journal_->bytes(), 1000 * 2 * 200u);
  ExpectWhole();
}

TEST_F(JournalUpkeepTest, IsCompactedBeforeAnyGrantMustWait) {
  for (int i = 0; i < 1000; ++i) {
    Grant();
    if (live_.size() > 3) EndOldest();
    ASSERT_THAT(Keep(), IsOk());
  }
  EXPECT_EQ(journal_->waits(), 0u);
  EXPECT_EQ(journal_->bytes(), 2 * kSmall);
  ExpectWhole();
}

TEST_F(JournalUpkeepTest, WithoutUpkeepTheGrantsThatMadeRoomAreCounted) {
  for (int i = 0; i < 100; ++i) Grant();
  EXPECT_GT(journal_->waits(), 0u);
  ExpectWhole();
}

TEST_F(JournalUpkeepTest, NothingIsDueOnceItIsDone) {
  for (int i = 0; i < 300; ++i) Grant();
  ASSERT_THAT(Keep(), IsOk());
  EXPECT_FALSE(journal_->UpkeepDue());
  const uint64_t writes = calls_.Count(Call::kWrite);
  EXPECT_EQ(journal_->PlanStep(), std::nullopt);
  EXPECT_EQ(calls_.Count(Call::kWrite), writes);
}

TEST_F(JournalUpkeepTest, APieceIsSmall) {
  for (int i = 0; i < 1000; ++i) Grant();
  int steps = 0;
  for (; auto step = journal_->PlanStep(); ++steps) {
    EXPECT_LE(step->bytes.size(), 64 * kKiB);
    Grant();
    EndOldest();
    journal_->TakeStep(&*step);
    ASSERT_THAT(journal_->CommitStep(*step), IsOk());
  }
  EXPECT_GT(steps, 1000 / 64);
  ExpectWhole();
}

TEST_F(JournalUpkeepTest, AWriteThatWasOvertakenWritesNothing) {
  FillUntilCompactionIsDue();
  for (int role = 0; role < 2; ++role) {
    std::optional<Journal::Step> step = journal_->PlanStep();
    ASSERT_TRUE(step.has_value());
    // The spare becomes the journal.
    FillUntilItWaits();
    journal_->TakeStep(&*step);
    EXPECT_THAT(journal_->CommitStep(*step),
                StatusIs(absl::StatusCode::kAborted));
    ExpectWhole();
    FillUntilCompactionIsDue();
  }
  ASSERT_THAT(Keep(), IsOk());
  ExpectWhole();
}

TEST_F(JournalUpkeepTest, GrowthThatWasOvertakenIsGrowth) {
  FillUntilGrowthIsDue();
  std::optional<Journal::Step> step = journal_->PlanStep();
  ASSERT_TRUE(step.has_value());
  ASSERT_EQ(step->grow_to, 2 * kSmall);
  journal_->TakeStep(&*step);
  // The files exchange their names, and grow further than was planned.
  const uint64_t waits = journal_->waits();
  while (journal_->bytes() < 8 * kSmall) Grant();
  EXPECT_GT(journal_->waits(), waits);
  EXPECT_THAT(journal_->CommitStep(*step), IsOk());
  EXPECT_EQ(journal_->bytes(), 8 * kSmall);
  ExpectWhole();
}

TEST_F(JournalUpkeepTest, TheHeaderTellsALongerFileSoon) {
  FillUntilGrowthIsDue();
  ASSERT_THAT(Keep(), IsOk());
  journal_.reset();
  std::filesystem::resize_file(directory_.Join("journal"), kSmall);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(replay_.damage, "at byte 4096 the file ends: 4096 bytes cut");
}

TEST_F(JournalUpkeepTest, AStepThatFailsCostsNothing) {
  for (const Call call : {Call::kWrite, Call::kRename}) {
    FillUntilCompactionIsDue();
    calls_.FailNext(call, EIO);
    EXPECT_THAT(Keep(), Not(IsOk())) << SystemCalls::Name(call);
    ExpectWhole();
    Grant();
    ExpectWhole();
    EXPECT_TRUE(journal_->UpkeepDue());
    EXPECT_THAT(Keep(), IsOk());
    ExpectWhole();
  }
  for (const uint64_t failing : {1, 2}) {
    FillUntilGrowthIsDue();
    const uint64_t bytes = journal_->bytes();
    calls_.FailNth(Call::kFallocate, failing, ENOSPC);
    EXPECT_THAT(Keep(), StatusIs(absl::StatusCode::kResourceExhausted));
    journal_->CheckInvariants();
    EXPECT_THAT(Keep(), IsOk());
    EXPECT_EQ(journal_->bytes(), 2 * bytes);
    ExpectWhole();
  }
}

TEST_F(JournalUpkeepTest, AFullFilesystemIsCompactedOnlyWhereThatHelps) {
  calls_.FailNext(Call::kFallocate, ENOSPC, UINT64_MAX);
  LeaseRecord record = MakeLeaseRecord(next_++);
  while (journal_->AppendGrant(record).ok()) {
    live_.push_back(record);
    record = MakeLeaseRecord(next_++);
  }
  EXPECT_THAT(Keep(), StatusIs(absl::StatusCode::kResourceExhausted));
  ExpectWhole();
  while (!live_.empty()) EndOldest();
  EXPECT_THAT(Keep(), IsOk());
  Grant();
  ExpectWhole();
}

TEST_F(JournalUpkeepTest, AGenerationThatCameAndWentMeanwhileOutlivesIt) {
  FillUntilCompactionIsDue();
  std::optional<Journal::Step> step = journal_->PlanStep();
  LeaseRecord brief = MakeLeaseRecord(next_++);
  brief.generation = 1'000'000;
  ASSERT_THAT(journal_->AppendGrant(brief), IsOk());
  ASSERT_THAT(journal_->AppendEnd(brief.id), IsOk());
  journal_->TakeStep(&*step);
  ASSERT_THAT(journal_->CommitStep(*step), IsOk());
  ASSERT_THAT(Keep(), IsOk());
  EXPECT_EQ(journal_->waits(), 0u);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(replay_.last_generation, 1'000'000u);
}

// Most telling under ThreadSanitizer.
TEST_F(JournalUpkeepTest, StepsAreTakenWhileOthersAppend) {
  Mutex mutex;
  std::atomic<bool> stop = false;
  std::thread upkeep([&] {
    std::optional<Journal::Step> step;
    while (!stop) {
      if (step.has_value()) journal_->TakeStep(&*step);
      MutexLock lock(&mutex);
      if (step.has_value()) (void)journal_->CommitStep(*step);
      step = journal_->PlanStep();
    }
  });
  std::mt19937_64 random(1);
  for (int i = 0; i < 5000; ++i) {
    MutexLock lock(&mutex);
    // Waves, so that upkeep is overtaken now and then.
    if (live_.empty() || random() % 400 < (i / 1000 % 2 == 0 ? 300u : 100u)) {
      Grant();
    } else {
      EndOldest();
    }
    if (i % 100 != 0) continue;
    journal_->CheckInvariants();
    EXPECT_EQ(OnFile(), std::vector(live_.begin(), live_.end()));
  }
  stop = true;
  upkeep.join();
  journal_->CheckInvariants();
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(replay_.leases, std::vector(live_.begin(), live_.end()));
  EXPECT_EQ(replay_.damage, "");
}

}  // namespace
}  // namespace warmpool
