#include "core/journal/journal_keeper.h"

#include <errno.h>

#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/base/status_matchers.h"
#include "tests/core/journal/journal_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

class JournalKeeperTest : public JournalFixture {
 protected:
  JournalKeeperTest() {
    EXPECT_THAT(Open(), IsOk());
    keeper_ = std::make_unique<JournalKeeper>(journal_.get(), &clock_);
  }

  FakeClock clock_;
  std::unique_ptr<JournalKeeper> keeper_;
};

TEST_F(JournalKeeperTest, GrantsRenewsAndEndsAreOnFileWhenTheyReturn) {
  LeaseRecord record = MakeLeaseRecord(1);
  ASSERT_THAT(keeper_->Grant(record), IsOk());
  EXPECT_EQ(OnFile(), std::vector<LeaseRecord>{record});
  record.ttl = absl::Seconds(7);
  keeper_->Renew(record.id, record.ttl);
  EXPECT_EQ(OnFile(), std::vector<LeaseRecord>{record});
  keeper_->End(record.id);
  EXPECT_TRUE(OnFile().empty());
  EXPECT_EQ(keeper_->counts().failed_writes, 0u);
}

TEST_F(JournalKeeperTest, ARenewalOfALeaseThatHasEndedIsNoFailure) {
  keeper_->Renew(MakeLeaseRecord(1).id, absl::Seconds(7));
  EXPECT_EQ(keeper_->counts().failed_writes, 0u);
}

TEST_F(JournalKeeperTest, AnEndThatCouldNotBeWrittenIsCountedAndCaughtUpWith) {
  ASSERT_THAT(keeper_->Grant(MakeLeaseRecord(1)), IsOk());
  calls_.FailNext(Call::kWrite, EIO);
  keeper_->End(MakeLeaseRecord(1).id);
  EXPECT_EQ(keeper_->counts().failed_writes, 1u);
  ASSERT_THAT(keeper_->Grant(MakeLeaseRecord(2)), IsOk());
  EXPECT_EQ(OnFile(), std::vector<LeaseRecord>{MakeLeaseRecord(2)});
}

TEST_F(JournalKeeperTest, GrowthIsToldOnce) {
  EXPECT_EQ(keeper_->TakeGrowth(), journal_->bytes());
  EXPECT_EQ(keeper_->TakeGrowth(), 0u);
  const uint64_t bytes = journal_->bytes();
  uint64_t leases = 0;
  while (keeper_->NextDue() > clock_.Now()) {
    ASSERT_THAT(keeper_->Grant(MakeLeaseRecord(++leases)), IsOk());
  }
  keeper_->Keep();
  EXPECT_EQ(keeper_->NextDue(), absl::InfiniteFuture());
  EXPECT_EQ(keeper_->TakeGrowth(), journal_->bytes() - bytes);
  EXPECT_EQ(keeper_->counts().waits, 0u);
}

TEST(NoJournalKeeperTest, WithoutAJournalEverythingSucceeds) {
  FakeClock clock;
  JournalKeeper keeper(nullptr, &clock);
  EXPECT_THAT(keeper.Grant(LeaseRecord()), IsOk());
  keeper.Renew(LeaseId(), absl::Seconds(1));
  keeper.End(LeaseId());
  keeper.Keep();
  EXPECT_EQ(keeper.NextDue(), absl::InfiniteFuture());
  EXPECT_EQ(keeper.TakeGrowth(), 0u);
  keeper.CheckInvariants();
}

// Most telling under ThreadSanitizer.
TEST_F(JournalKeeperTest, ManyThreadsAndUpkeepLeaveWhatIsLive) {
  constexpr uint64_t kEach = 150;
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 3; ++thread) {
    threads.emplace_back([this, thread] {
      for (uint64_t i = 1; i <= kEach; ++i) {
        const LeaseRecord record = MakeLeaseRecord(thread * kEach + i);
        EXPECT_THAT(keeper_->Grant(record), IsOk());
        if (i % 3 != 0) keeper_->End(record.id);
        if (i % 8 == 0) keeper_->Keep();
        keeper_->CheckInvariants();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(OnFile().size(), 3 * kEach / 3);
}

}  // namespace
}  // namespace warmpool
