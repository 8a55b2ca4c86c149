#include "core/journal/journal.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock-more-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class JournalTest : public JournalFixture {};

TEST_F(JournalTest, AFirstStartHasNothingToReplay) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(replay_.leases, IsEmpty());
  EXPECT_EQ(replay_.epoch, 1u);
  EXPECT_EQ(replay_.last_generation, 0u);
  EXPECT_EQ(replay_.damage, "");
  EXPECT_EQ(journal_->bytes(), 2 * kSmall);
}

TEST_F(JournalTest, LeasesOutliveTheDaemon) {
  ASSERT_THAT(Open(), IsOk());
  for (const uint64_t number : {3, 1, 2}) {
    EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(number)), IsOk());
  }
  EXPECT_THAT(journal_->AppendRenewal(MakeLeaseRecord(1).id, absl::Hours(5)),
              IsOk());
  EXPECT_THAT(journal_->AppendEnd(MakeLeaseRecord(2).id), IsOk());
  LeaseRecord renewed = MakeLeaseRecord(1);
  renewed.ttl = absl::Hours(5);
  // The second time from the snapshot that the first one made.
  for (const uint64_t epoch : {2, 3}) {
    ASSERT_THAT(Open(), IsOk());
    EXPECT_THAT(replay_.leases, ElementsAre(MakeLeaseRecord(3), renewed));
    EXPECT_EQ(replay_.epoch, epoch);
    EXPECT_EQ(replay_.damage, "");
  }
}

TEST_F(JournalTest, TheLastGenerationOutlivesItsLease) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(9)), IsOk());
  EXPECT_THAT(journal_->AppendEnd(MakeLeaseRecord(9).id), IsOk());
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(4)), IsOk());
  for (int i = 0; i < 2; ++i) {
    ASSERT_THAT(Open(), IsOk());
    EXPECT_EQ(replay_.last_generation, 9u);
  }
}

TEST_F(JournalTest, AnotherBootsJournalCountsForNothing) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  ASSERT_THAT(Open(kAnotherBoot), IsOk());
  EXPECT_THAT(replay_.leases, IsEmpty());
  EXPECT_EQ(replay_.epoch, 1u);
  EXPECT_EQ(replay_.damage, "");
  // And is gone for good.
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(replay_.leases, IsEmpty());
}

TEST_F(JournalTest, DamageIsToldOnceAndTheRestIsKept) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(2)), IsOk());
  journal_.reset();
  std::string bytes = directory_.Contents("journal");
  const size_t second =
      kJournalHeaderBytes + GrantRecordBytes(MakeLeaseRecord(1));
  bytes[second + 50] ^= 4;
  directory_.SetContents("journal", bytes);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(replay_.leases, ElementsAre(MakeLeaseRecord(1)));
  EXPECT_THAT(replay_.damage, HasSubstr("at byte " + std::to_string(second)));
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(replay_.leases, ElementsAre(MakeLeaseRecord(1)));
  EXPECT_EQ(replay_.damage, "");
}

TEST_F(JournalTest, WhateverTheFilesAreItStarts) {
  for (const std::string& journal :
       {std::string(), std::string("x"), std::string(5000, 'x'),
        std::string(100, '\0'), std::string("WPLEASES")}) {
    for (const std::string& spare :
         {std::string(), std::string(9999, 'y'), std::string(3, '\0')}) {
      directory_.SetContents("journal", journal);
      directory_.SetContents("journal.spare", spare);
      ASSERT_THAT(Open(), IsOk());
      EXPECT_THAT(replay_.leases, IsEmpty());
      EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
      EXPECT_THAT(OnFile(), ElementsAre(MakeLeaseRecord(1)));
      ASSERT_THAT(Open(), IsOk());
      EXPECT_THAT(replay_.leases, ElementsAre(MakeLeaseRecord(1)));
      EXPECT_EQ(replay_.damage, "");
    }
  }
}

TEST_F(JournalTest, AMissingSpareIsMadeAgain) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  journal_.reset();
  std::filesystem::remove(directory_.Join("journal.spare"));
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(replay_.leases, ElementsAre(MakeLeaseRecord(1)));
  EXPECT_EQ(std::filesystem::file_size(directory_.Join("journal.spare")),
            kSmall);
}

TEST_F(JournalTest, FilesOfTwoSizesBecomeOfOne) {
  for (const char* const name : {"journal", "journal.spare"}) {
    ASSERT_THAT(Open(), IsOk());
    const uint64_t bytes = journal_->bytes();
    EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
    journal_.reset();
    std::filesystem::resize_file(directory_.Join(name), bytes);
    ASSERT_THAT(Open(), IsOk());
    EXPECT_THAT(replay_.leases, ElementsAre(MakeLeaseRecord(1)));
    EXPECT_EQ(replay_.damage, "");
    EXPECT_EQ(journal_->bytes(), 2 * bytes);
    EXPECT_THAT(journal_->AppendEnd(MakeLeaseRecord(1).id), IsOk());
  }
}

TEST_F(JournalTest, ACutFileIsTold) {
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  journal_.reset();
  std::filesystem::resize_file(directory_.Join("journal"), 3000);
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(replay_.damage, "at byte 3000 the file ends: 1096 bytes cut");
  EXPECT_THAT(replay_.leases, ElementsAre(MakeLeaseRecord(1)));
}

TEST_F(JournalTest, EndsAndGrantsWithoutEndTakeNoMoreRoom) {
  ASSERT_THAT(Open(), IsOk());
  for (uint64_t number = 0; number < 500; ++number) {
    ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(number)), IsOk());
    if (number < 5) continue;
    ASSERT_THAT(journal_->AppendEnd(MakeLeaseRecord(number - 5).id), IsOk());
    journal_->CheckInvariants();
  }
  EXPECT_EQ(journal_->bytes(), 2 * kSmall);
  EXPECT_EQ(OnFile().size(), 5u);
}

TEST_F(JournalTest, RenewalsWithoutEndTakeNoMoreRoom) {
  ASSERT_THAT(Open(), IsOk());
  LeaseRecord record = MakeLeaseRecord(1);
  ASSERT_THAT(journal_->AppendGrant(record), IsOk());
  for (int i = 1; i <= 500; ++i) {
    record.ttl = absl::Seconds(i);
    ASSERT_THAT(journal_->AppendRenewal(record.id, record.ttl), IsOk());
    journal_->CheckInvariants();
    ASSERT_THAT(OnFile(), ElementsAre(record));
  }
  EXPECT_EQ(journal_->bytes(), 2 * kSmall);
}

TEST_F(JournalTest, RefusesWhatCanNotBeReplayed) {
  ASSERT_THAT(Open(), IsOk());
  LeaseRecord record = MakeLeaseRecord(1);
  record.file_name = "a/b";
  EXPECT_THAT(journal_->AppendGrant(record),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(journal_->AppendRenewal(record.id, -absl::Seconds(1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(journal_->AppendRenewal(MakeLeaseRecord(2).id, absl::Seconds(1)),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(journal_->AppendEnd(MakeLeaseRecord(2).id), IsOk());
  EXPECT_THAT(OnFile(), ElementsAre(MakeLeaseRecord(1)));
}

TEST_F(JournalTest, TenThousandLeasesOutliveTheDaemon) {
  ASSERT_THAT(Open(kBoot, kMiB), IsOk());
  std::vector<LeaseRecord> leases;
  for (uint64_t number = 0; number < 10'000; ++number) {
    leases.push_back(MakeLeaseRecord(number));
    ASSERT_THAT(journal_->AppendGrant(leases.back()), IsOk());
  }
  ASSERT_THAT(Open(kBoot, kMiB), IsOk());
  EXPECT_EQ(replay_.leases, leases);
  for (const LeaseRecord& lease : leases) {
    ASSERT_THAT(journal_->AppendEnd(lease.id), IsOk());
  }
  EXPECT_THAT(OnFile(), IsEmpty());
}

TEST_F(JournalTest, ADaemonThatLeavesNoLeaseLeavesNoJournal) {
  ASSERT_THAT(Open(), IsOk());
  std::vector<Segment> files = journal_->TakeFiles();
  EXPECT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].bytes(), kSmall);
  {
    UnmapBatch batch(&calls_, {UnmapBatch::Drain::kInline});
    for (Segment& file : files) {
      batch.Add(std::move(file), absl::UnixEpoch());
    }
  }
  journal_.reset();
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  EXPECT_TRUE(std::filesystem::is_empty(scratch_.path()));
}

TEST_F(JournalTest, ClosesWhatItOpenedAndLeavesTheFiles) {
  ASSERT_THAT(Open(), IsOk());
  journal_.reset();
  EXPECT_EQ(calls_.live().descriptors, 0u);
  for (const char* const name : {"journal", "journal.spare"}) {
    EXPECT_EQ(std::filesystem::status(directory_.Join(name)).permissions(),
              std::filesystem::perms(0600));
  }
}

}  // namespace
}  // namespace warmpool
