// The journal where system calls fail, and where the daemon dies between or
// within any two of them.
#include <errno.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/journal/journal.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/journal/journal_fixture.h"
#include "tests/core/pool/restart/dying_calls.h"

namespace warmpool {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::HasSubstr;

using Call = SystemCalls::Call;
using Leases = std::vector<LeaseRecord>;

// What the daemon whose journal is tested does, and what it was told.
class Daemon {
 public:
  Daemon(const JournalDirectory& directory, SystemCalls* calls)
      : directory_(directory), calls_(*calls) {}

  // Restarts, grants, renews, replaces and ends; through snapshots and growth,
  // and such as upkeep makes ahead of need. Stops at the first failure: a dead
  // daemon does nothing.
  void Run() {
    Restart();
    for (uint64_t number = 0; number < 12; ++number) Grant(number);
    for (uint64_t number = 0; number < 12; number += 3) End(number);
    for (int i = 1; i <= 30; ++i) Renew(1 + i % 2, absl::Seconds(i));
    for (uint64_t number = 4; number < 6; ++number) {
      Replace(number, number);
      Replace(number, 100 + number);
    }
    Restart();
    for (uint64_t number = 20; number < 45; ++number) Grant(number);
    for (uint64_t number = 20; number < 45; ++number) End(number);
    Restart();
    Grant(50);
    for (uint64_t number = 51; number < 71; ++number) {
      Keep(number);
      End(number - 1);
    }
  }

  bool failed() const { return failed_; }
  // What was acknowledged, and what it would be with the step under way.
  const Leases& acknowledged() const { return acknowledged_; }
  const Leases& attempted() const { return attempted_; }

 private:
  // One step that leads to the leases `after`.
  void Step(Leases after, const std::function<absl::Status()>& step) {
    if (failed_) return;
    attempted_ = std::move(after);
    failed_ = !step().ok();
    if (!failed_) acknowledged_ = attempted_;
  }

  void Restart() {
    Step(acknowledged_, [&] {
      journal_.reset();
      Journal::Replay replay;
      auto opened =
          BeginJournal(directory_.fd(), kBoot, {4096}, &calls_, &replay);
      if (!opened.ok()) return opened.status();
      journal_ = *std::move(opened);
      EXPECT_EQ(replay.leases, acknowledged_);
      EXPECT_EQ(replay.damage, "");
      return absl::OkStatus();
    });
  }

  void Grant(uint64_t number) {
    Leases after = acknowledged_;
    after.push_back(MakeLeaseRecord(number));
    Step(std::move(after),
         [&] { return journal_->AppendGrant(MakeLeaseRecord(number)); });
  }

  // Grants two leases and ends one, within and between the steps of whatever
  // upkeep is due.
  void Keep(uint64_t number) {
    Grant(number);
    Grant(1000 + number);
    if (number % 4 != 0) return;
    std::optional<Journal::Step> step;
    for (uint64_t between = 0;; ++between) {
      Step(acknowledged_, [&] {
        step = journal_->PlanStep();
        return absl::OkStatus();
      });
      if (failed_ || !step.has_value()) return;
      if (between < 4) Grant(2000 + 10 * number + between);
      if (failed_) return;
      Step(acknowledged_, [&] {
        journal_->TakeStep(&*step);
        return step->status;
      });
      if (between == 0) End(1000 + number);
      if (failed_) return;
      Step(acknowledged_, [&] { return journal_->CommitStep(*step); });
    }
  }

  void End(uint64_t number) {
    Leases after = acknowledged_;
    std::erase(after, MakeLeaseRecord(number));
    Step(std::move(after),
         [&] { return journal_->AppendEnd(MakeLeaseRecord(number).id); });
  }

  void Replace(uint64_t number, uint64_t by) {
    Leases after = acknowledged_;
    std::erase_if(after, [&](const LeaseRecord& lease) {
      return lease.id == MakeLeaseRecord(number).id;
    });
    LeaseRecord record = MakeLeaseRecord(by);
    record.sealed = true;
    after.push_back(record);
    Step(std::move(after), [&] {
      return journal_->AppendReplacement(MakeLeaseRecord(number).id, record);
    });
  }

  void Renew(uint64_t number, absl::Duration ttl) {
    Leases after = acknowledged_;
    for (LeaseRecord& lease : after) {
      if (lease.id == MakeLeaseRecord(number).id) lease.ttl = ttl;
    }
    Step(std::move(after), [&] {
      return journal_->AppendRenewal(MakeLeaseRecord(number).id, ttl);
    });
  }

  const JournalDirectory& directory_;
  SystemCalls& calls_;
  std::unique_ptr<Journal> journal_;
  bool failed_ = false;
  Leases acknowledged_;
  Leases attempted_;
};

class JournalFaultTest : public JournalFixture {
 protected:
  // A daemon that dies after so many calls; then the next one starts. False if
  // the first one lived to the end.
  bool DieAfter(uint64_t calls_to_live, size_t io_bytes) {
    const std::string path = scratch_.Join("daemon");
    std::filesystem::create_directory(path);
    bool dead = false;
    {
      const JournalDirectory directory(path);
      DyingCalls calls(calls_to_live, io_bytes);
      Daemon daemon(directory, &calls);
      daemon.Run();
      dead = calls.dead();
      EXPECT_EQ(dead, daemon.failed());
      LinuxSystemCalls next_calls;
      Journal::Replay replay;
      const auto next =
          BeginJournal(directory.fd(), kBoot, {4096}, &next_calls, &replay);
      EXPECT_THAT(next, IsOk());
      if (next.ok()) (*next)->CheckInvariants();
      EXPECT_THAT(replay.leases,
                  AnyOf(Eq(daemon.acknowledged()), Eq(daemon.attempted())));
    }
    std::filesystem::remove_all(path);
    return dead;
  }

  // Steps of `journal_` after which the leases are known, for what must be the
  // same whichever call fails.
  void Fill() {
    for (uint64_t number = 0; number < 12; ++number) {
      ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(number)), IsOk());
    }
  }
};

TEST_F(JournalFaultTest, KilledAfterAnyCallItLosesNothingAcknowledged) {
  uint64_t calls = 0;
  while (DieAfter(calls, SIZE_MAX)) {
    ASSERT_FALSE(HasFailure()) << "killed after " << calls << " calls";
    ++calls;
  }
  EXPECT_GT(calls, 100u);
}

TEST_F(JournalFaultTest, KilledWithinAnyWriteItLosesNothingAcknowledged) {
  // A prime, so that records are cut at ever other places.
  constexpr size_t kIoBytes = 41;
  uint64_t calls = 0;
  while (DieAfter(calls, kIoBytes)) {
    ASSERT_FALSE(HasFailure()) << "killed after " << calls << " calls";
    ++calls;
  }
  EXPECT_GT(calls, 1000u);
}

TEST_F(JournalFaultTest, AGrantThatCouldNotBeWrittenIsNotThere) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  calls_.FailNext(Call::kWrite, EIO);
  EXPECT_FALSE(journal_->AppendGrant(MakeLeaseRecord(2)).ok());
  journal_->CheckInvariants();
  EXPECT_THAT(OnFile(), ElementsAre(MakeLeaseRecord(1)));
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(2)), IsOk());
  EXPECT_THAT(OnFile(), ElementsAre(MakeLeaseRecord(1), MakeLeaseRecord(2)));
}

TEST_F(JournalFaultTest, AnEndThatCouldNotBeWrittenIsWrittenWithTheNext) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  // The second write is that of the snapshot that is tried next.
  calls_.FailNext(Call::kWrite, EIO, 2);
  EXPECT_FALSE(journal_->AppendEnd(MakeLeaseRecord(1).id).ok());
  EXPECT_FALSE(journal_->AppendEnd(MakeLeaseRecord(1).id).ok())
      << "it is still not on file";
  journal_->CheckInvariants();
  EXPECT_THAT(OnFile(), ElementsAre(MakeLeaseRecord(1)));
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(2)), IsOk());
  EXPECT_THAT(OnFile(), ElementsAre(MakeLeaseRecord(2)));
}

TEST_F(JournalFaultTest, ARenewalThatCouldNotBeWrittenIsWrittenWithTheNext) {
  ASSERT_THAT(Open(), IsOk());
  LeaseRecord record = MakeLeaseRecord(1);
  ASSERT_THAT(journal_->AppendGrant(record), IsOk());
  record.ttl = absl::Hours(1);
  calls_.FailNext(Call::kWrite, EIO);
  EXPECT_FALSE(journal_->AppendRenewal(record.id, record.ttl).ok());
  calls_.FailNext(Call::kRename, EIO);
  EXPECT_FALSE(journal_->AppendEnd(MakeLeaseRecord(2).id).ok());
  EXPECT_THAT(journal_->AppendEnd(MakeLeaseRecord(2).id), IsOk());
  EXPECT_THAT(OnFile(), ElementsAre(record));
}

TEST_F(JournalFaultTest, AnInterruptedCallIsMadeAgain) {
  for (const Call call : {Call::kOpen, Call::kFstat, Call::kFallocate,
                          Call::kRead, Call::kWrite, Call::kRename}) {
    calls_.FailNext(call, EINTR, 3);
  }
  directory_.SetContents("journal", "x");
  ASSERT_THAT(Open(), IsOk());
  EXPECT_EQ(calls_.faults(), 18u);
}

TEST_F(JournalFaultTest, AnOpenThatFailsLeavesTheJournalWhole) {
  ASSERT_THAT(Open(), IsOk());
  ASSERT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
  for (const Call call :
       {Call::kOpen, Call::kFstat, Call::kRead, Call::kWrite, Call::kRename}) {
    calls_.FailNext(call, EIO);
    EXPECT_FALSE(Open().ok()) << SystemCalls::Name(call);
    EXPECT_EQ(calls_.live().descriptors, 0u);
    EXPECT_THAT(OnFile(), ElementsAre(MakeLeaseRecord(1)));
  }
  ASSERT_THAT(Open(), IsOk());
  EXPECT_THAT(replay_.leases, ElementsAre(MakeLeaseRecord(1)));
  EXPECT_EQ(replay_.epoch, 2u);
}

TEST_F(JournalFaultTest, WithoutRoomGrantsAreRefusedAndEndsAreNot) {
  ASSERT_THAT(Open(), IsOk());
  calls_.FailNext(Call::kFallocate, ENOSPC, UINT64_MAX);
  Leases leases;
  absl::Status refusal;
  while (refusal.ok()) {
    const LeaseRecord record = MakeLeaseRecord(leases.size());
    refusal = journal_->AppendGrant(record);
    if (refusal.ok()) leases.push_back(record);
    journal_->CheckInvariants();
    ASSERT_LT(leases.size(), 100u);
  }
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("a journal of 8192 bytes")));
  EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kResourceExhausted,
                                HasSubstr("bytes free")));
  EXPECT_GT(leases.size(), 10u);
  EXPECT_EQ(journal_->bytes(), 2 * kSmall);
  EXPECT_EQ(OnFile(), leases);

  // A renewal needs no room either.
  for (int i = 0; i < 200; ++i) {
    leases.front().ttl = absl::Seconds(i);
    ASSERT_THAT(journal_->AppendRenewal(leases.front().id, leases.front().ttl),
                IsOk());
    journal_->CheckInvariants();
  }
  EXPECT_EQ(OnFile(), leases);
  while (!leases.empty()) {
    ASSERT_THAT(journal_->AppendEnd(leases.back().id), IsOk());
    journal_->CheckInvariants();
    leases.pop_back();
    EXPECT_EQ(OnFile(), leases);
  }
  EXPECT_THAT(journal_->AppendGrant(MakeLeaseRecord(1)), IsOk());
}

TEST_F(JournalFaultTest, WhereOneFileGrowsAndTheOtherCanNotItGoesOn) {
  for (const uint64_t failing : {1, 2}) {
    ASSERT_THAT(Open(), IsOk());
    calls_.FailNth(Call::kFallocate, failing, ENOSPC, UINT64_MAX);
    Leases leases;
    absl::Status refusal;
    while (refusal.ok()) {
      const LeaseRecord record = MakeLeaseRecord(leases.size());
      refusal = journal_->AppendGrant(record);
      if (refusal.ok()) leases.push_back(record);
      ASSERT_LT(leases.size(), 100u);
    }
    EXPECT_THAT(refusal, StatusIs(absl::StatusCode::kResourceExhausted));
    journal_->CheckInvariants();
    calls_.StopFailing();
    // There is room again.
    leases.push_back(MakeLeaseRecord(leases.size()));
    EXPECT_THAT(journal_->AppendGrant(leases.back()), IsOk());
    ASSERT_THAT(Open(), IsOk());
    EXPECT_EQ(replay_.leases, leases);
    EXPECT_EQ(replay_.damage, "");
    journal_.reset();
    std::filesystem::remove(directory_.Join("journal"));
    std::filesystem::remove(directory_.Join("journal.spare"));
  }
}

TEST_F(JournalFaultTest, OpensWithoutRoomToGrow) {
  ASSERT_THAT(Open(), IsOk());
  Fill();
  journal_.reset();
  calls_.FailNext(Call::kFallocate, ENOSPC, UINT64_MAX);
  ASSERT_THAT(Open(kBoot, 1 * kMiB), IsOk());
  EXPECT_EQ(replay_.leases.size(), 12u);
  EXPECT_THAT(journal_->AppendEnd(MakeLeaseRecord(3).id), IsOk());
}

TEST_F(JournalFaultTest, AFirstStartWithoutRoomIsRefused) {
  calls_.FailNext(Call::kFallocate, ENOSPC, UINT64_MAX);
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kResourceExhausted,
                               HasSubstr("a journal of 4096 bytes")));
  EXPECT_EQ(calls_.live().descriptors, 0u);
}

}  // namespace
}  // namespace warmpool
