#include "core/journal/journal_snapshot.h"

#include <random>
#include <string>
#include <vector>

#include "core/journal/journal_parse.h"
#include "gtest/gtest.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

class JournalSnapshotTest : public testing::Test {
 protected:
  JournalSnapshot Begin() {
    return JournalSnapshot({kBoot, 1, generation_, 7, 0}, &leases_);
  }

  void Grant(uint64_t number) {
    LeaseRecord lease = MakeLeaseRecord(number);
    lease.generation = ++generation_;
    leases_.Insert(lease);
  }
  void Renew(JournalSnapshot* snapshot, uint64_t number, absl::Duration ttl) {
    LeaseRecord* const lease = leases_.Find(MakeLeaseRecord(number).id);
    lease->ttl = ttl;
    snapshot->RecordRenewal(*lease);
  }
  void End(JournalSnapshot* snapshot, uint64_t number) {
    const LeaseId id = MakeLeaseRecord(number).id;
    snapshot->RecordEnd(*leases_.Find(id));
    leases_.Erase(id);
  }

  // What it says in the end must be what is live.
  ParsedJournal Finish(JournalSnapshot* snapshot) {
    while (!snapshot->Copy(2)) bytes_ += snapshot->Take();
    bytes_ += snapshot->Take();
    EXPECT_EQ(bytes_.size(), snapshot->bytes());
    ParsedJournal parsed = ParseJournal(bytes_, kBoot);
    EXPECT_EQ(parsed.damage, "");
    EXPECT_EQ(parsed.last_generation, generation_);
    EXPECT_EQ(std::vector(parsed.leases.begin(), parsed.leases.end()),
              std::vector(leases_.begin(), leases_.end()));
    return parsed;
  }

  LeaseRecords leases_;
  uint64_t generation_ = 0;
  std::string bytes_;
};

TEST_F(JournalSnapshotTest, OfNothingIsAHeader) {
  JournalSnapshot snapshot = Begin();
  Finish(&snapshot);
  EXPECT_EQ(bytes_.size(), kJournalHeaderBytes);
}

TEST_F(JournalSnapshotTest, TakesWhatChangesWhileItIsMade) {
  for (uint64_t number = 1; number <= 6; ++number) Grant(number);
  JournalSnapshot snapshot = Begin();
  EXPECT_FALSE(snapshot.Copy(3));
  bytes_ += snapshot.Take();
  // Of those that it has, and of those that it has not.
  for (const uint64_t number : {1, 4}) End(&snapshot, number);
  for (const uint64_t number : {2, 5}) {
    Renew(&snapshot, number, absl::Hours(1));
  }
  Grant(7);
  const ParsedJournal parsed = Finish(&snapshot);
  EXPECT_EQ(parsed.leases.size(), 5u);
}

TEST_F(JournalSnapshotTest, TellsTheGenerationOfWhatCameAndWent) {
  Grant(1);
  JournalSnapshot snapshot = Begin();
  snapshot.Copy(1);
  bytes_ += snapshot.Take();
  Grant(2);
  End(&snapshot, 2);
  EXPECT_EQ(Finish(&snapshot).leases.size(), 1u);
}

TEST_F(JournalSnapshotTest, WhatIsGrantedAfterTheLastPieceIsCopiedToo) {
  Grant(1);
  JournalSnapshot snapshot = Begin();
  EXPECT_TRUE(snapshot.Copy(8));
  Grant(2);
  EXPECT_FALSE(snapshot.Copy(0));
  Finish(&snapshot);
}

TEST_F(JournalSnapshotTest, WhateverHappensBetweenItsPiecesItSaysWhatIsLive) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<uint64_t> live;
    uint64_t next = 0;
    const auto grant = [&] {
      Grant(next);
      live.push_back(next++);
    };
    while (next < round % 20u) grant();
    bytes_.clear();
    JournalSnapshot snapshot = Begin();
    for (int step = 0; step < 30; ++step) {
      const size_t which = live.empty() ? 0 : random() % live.size();
      switch (random() % 5) {
        case 0: grant(); break;
        case 1: snapshot.Copy(random() % 4); break;
        case 2: bytes_ += snapshot.Take(); break;
        case 3:
          if (live.empty()) break;
          Renew(&snapshot, live[which], absl::Seconds(random() % 100));
          break;
        case 4:
          if (live.empty()) break;
          End(&snapshot, live[which]);
          live.erase(live.begin() + which);
          break;
      }
    }
    Finish(&snapshot);
    ASSERT_FALSE(HasFailure()) << "round " << round;
    for (const uint64_t number : live) {
      leases_.Erase(MakeLeaseRecord(number).id);
    }
  }
}

}  // namespace
}  // namespace warmpool
