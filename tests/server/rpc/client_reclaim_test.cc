#include "server/rpc/client_reclaim.h"

#include <optional>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "proto/warmpool/v1/warmpool.pb.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;

// A client's Session, which keeps what it is asked for.
class AskedSession : public SessionHub::Session {
 public:
  void Keep() override {}
  void SendNotice(const v1::SessionResponse& notice) override {
    ASSERT_TRUE(notice.has_trim());
    asked.push_back(notice.trim().wanted_bytes());
  }
  void Detach() override {}

  std::vector<uint64_t> asked;
};

class ClientReclaimTest : public PoolFixture {
 protected:
  ClientReclaimTest() {
    Make(InlineOptions());
    reclaim_.emplace(pool_.get(), &hub_, &clock_);
    hub_.Add(kAlice, &session_);
  }
  ~ClientReclaimTest() override { hub_.Remove(kAlice, &session_); }

  void ReportIdle(uint64_t bytes) {
    v1::IdleReport idle;
    idle.set_idle_bytes(bytes);
    hub_.ChangeIdle(kAlice, v1::IdleReport(), idle);
  }

  SessionHub hub_;
  AskedSession session_;
  std::optional<ClientReclaim> reclaim_;
};

TEST_F(ClientReclaimTest, AsksClientsForWhatIsWanted) {
  ReportIdle(8192);
  EXPECT_EQ(reclaim_->idle_bytes(), 8192u);
  reclaim_->Trim(4096);
  reclaim_->Trim(0);
  EXPECT_THAT(session_.asked, ElementsAre(4096, 0));
}

TEST_F(ClientReclaimTest, RequestsAskAgainOnlyForMoreOrAfterAWhile) {
  const absl::Time begin = clock_.Now();
  EXPECT_EQ(reclaim_->TrimForRequest(4096), begin + ClientReclaim::kTrimWithin);
  reclaim_->TrimForRequest(4096);
  reclaim_->TrimForRequest(100);
  EXPECT_THAT(session_.asked, ElementsAre(4096));
  reclaim_->TrimForRequest(8192);
  EXPECT_THAT(session_.asked, ElementsAre(4096, 8192));
  clock_.Advance(ClientReclaim::kTrimWithin);
  reclaim_->TrimForRequest(100);
  EXPECT_THAT(session_.asked, ElementsAre(4096, 8192, 100));
}

TEST_F(ClientReclaimTest, ARequestThatDoesNotAskWaitsForItsFullTimeToo) {
  reclaim_->TrimForRequest(4096);
  clock_.Advance(ClientReclaim::kTrimWithin / 2);
  EXPECT_EQ(reclaim_->TrimForRequest(4096),
            clock_.Now() + ClientReclaim::kTrimWithin);
}

TEST_F(ClientReclaimTest, WhereNothingIsIdleNobodyIsAsked) {
  EXPECT_EQ(reclaim_->TrimAndWait(), 0u);
  EXPECT_TRUE(session_.asked.empty());
}

}  // namespace
}  // namespace warmpool
