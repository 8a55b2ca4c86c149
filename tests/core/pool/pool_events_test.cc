// What the pool tells those who watch buffers.
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-more-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using Kind = BufferEvents::Kind;

class PoolEventsTest : public PoolFixture {
 protected:
  PoolEventsTest() { Make(InlineOptions()); }

  // Past its first resync.
  std::unique_ptr<BufferEvents::Watch> Watch(HolderId holder,
                                             const std::string& prefix = "") {
    auto watch = pool_->Watch(holder, prefix, [this] { ++wakes_; }).value();
    EXPECT_EQ(watch->Next()->kind, Kind::kResync);
    EXPECT_EQ(watch->Next(), nullptr);
    return watch;
  }

  // "+name", "-name".
  static std::vector<std::string> TakeAll(BufferEvents::Watch& watch) {
    std::vector<std::string> taken;
    while (const auto event = watch.Next()) {
      taken.push_back((event->kind == Kind::kCreated ? "+" : "-") +
                      event->name);
    }
    return taken;
  }

  std::atomic<int> wakes_ = 0;
};

TEST_F(PoolEventsTest, ABufferIsCreatedByItsLeaseAndEndedByItsRelease) {
  const auto watch = Watch(kAlice);
  const LeaseGrant grant = LeaseOrDie(kAlice, 5000, "frames");
  EXPECT_EQ(wakes_, 1);
  const auto created = watch->Next();
  ASSERT_NE(created, nullptr);
  EXPECT_EQ(created->kind, Kind::kCreated);
  EXPECT_EQ(created->name, "frames");
  EXPECT_EQ(created->uid, 1000u);
  EXPECT_EQ(created->generation, grant.generation);
  EXPECT_EQ(created->bytes, 5000u);
  EXPECT_EQ(watch->Next(), nullptr);

  EXPECT_THAT(Release(kAlice, grant), IsOk());
  EXPECT_EQ(wakes_, 2);
  const auto ended = watch->Next();
  ASSERT_NE(ended, nullptr);
  EXPECT_EQ(ended->kind, Kind::kEnded);
  EXPECT_EQ(ended->name, "frames");
  EXPECT_EQ(ended->generation, grant.generation);
  EXPECT_EQ(ended->bytes, 5000u);
  EXPECT_EQ(watch->Next(), nullptr);
}

TEST_F(PoolEventsTest, ABufferEndsWithItsLastLease) {
  const auto watch = Watch(kAlice);
  const LeaseGrant first = LeaseOrDie(kAlice, 4096, "shared");
  const LeaseGrant attached = AttachOrDie(kBob, "shared");
  EXPECT_THAT(Release(kAlice, first), IsOk());
  EXPECT_THAT(TakeAll(*watch), ElementsAre("+shared"));
  EXPECT_THAT(Release(kBob, attached), IsOk());
  EXPECT_THAT(TakeAll(*watch), ElementsAre("-shared"));
}

TEST_F(PoolEventsTest, ExpiryRevocationAndAHoldersDeathEndBuffersToo) {
  const auto watch = Watch(kAlice);
  LeaseOrDie(kAlice, 4096, "brief", absl::Seconds(1));
  LeaseOrDie(kAlice, 4096, "dies", absl::ZeroDuration());
  const LeaseGrant revoked = LeaseOrDie(kBob, 4096, "revoked");
  TakeAll(*watch);
  TickAfter(absl::Seconds(2));
  EXPECT_THAT(TakeAll(*watch), ElementsAre("-brief"));
  const LeaseRef ref{revoked.id, revoked.generation};
  EXPECT_THAT(pool_->Release(kAdmin, {&ref, 1}, /*revoke=*/true)[0], IsOk());
  EXPECT_THAT(TakeAll(*watch), ElementsAre("-revoked"));
  pool_->RemoveHolder(kAlice);
  EXPECT_THAT(TakeAll(*watch), ElementsAre("-dies"));
}

TEST_F(PoolEventsTest, UnusedLeasesAndRevokeAllEndBuffers) {
  const auto watch = Watch(kAlice);
  LeaseOrDie(kAlice, 4096, "forgotten");
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(pool_->EndUnusedLeases(kAlice, clock_.Now()), 1u);
  EXPECT_THAT(TakeAll(*watch), ElementsAre("+forgotten", "-forgotten"));
  LeaseOrDie(kAlice, 4096, "a");
  LeaseOrDie(kBob, 4096, "b");
  TakeAll(*watch);
  pool_->RevokeAll();
  EXPECT_THAT(TakeAll(*watch), UnorderedElementsAre("-a", "-b"));
}

TEST_F(PoolEventsTest, WhatIsRefusedIsNotTold) {
  const auto watch = Watch(kAlice);
  LeaseOrDie(kAlice, 4096, "taken");
  EXPECT_FALSE(Lease(kBob, Request(4096, "taken")).ok());
  pool_->Drain();
  EXPECT_FALSE(Lease(kBob, Request(4096, "late")).ok());
  EXPECT_THAT(TakeAll(*watch), ElementsAre("+taken"));
}

TEST_F(PoolEventsTest, HoldersSeeTheBuffersThatAListShowsThem) {
  const auto alice = Watch(kAlice, "x/");
  const auto carol = Watch(kCarol);
  const auto admin = Watch(kAdmin);
  LeaseOrDie(kBob, 4096, "x/1");
  LeaseOrDie(kBob, 4096, "y/1");
  LeaseOrDie(kCarol, 4096, "x/2");
  EXPECT_THAT(TakeAll(*alice), ElementsAre("+x/1"));
  EXPECT_THAT(TakeAll(*carol), ElementsAre("+x/2"));
  EXPECT_THAT(TakeAll(*admin), ElementsAre("+x/1", "+y/1", "+x/2"));
}

TEST_F(PoolEventsTest, AWatcherMustBeThereAndItsPrefixNoLongerThanAName) {
  EXPECT_THAT(pool_->Watch(99, "", [] {}),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(pool_->Watch(kAlice, std::string(129, 'x'), [] {}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       ::testing::HasSubstr("129 bytes")));
}

TEST_F(PoolEventsTest, AWakeMayAskThePool) {
  std::vector<std::string> listed;
  const auto wake = [&] {
    for (const BufferListing& buffer : pool_->ListAll()) {
      listed.push_back(buffer.name);
    }
  };
  const auto watch = pool_->Watch(kAlice, "", wake).value();
  while (watch->Next() != nullptr) {
  }
  LeaseOrDie(kAlice, 4096, "frames");
  EXPECT_THAT(listed, ElementsAre("frames"));
}

TEST_F(PoolEventsTest, EventsAreInOrderWhileManyLeaseTheSameNames) {
  constexpr int kRounds = 300;
  const auto watch = Watch(kAlice);
  std::map<std::string, uint64_t> there;
  std::map<std::string, uint64_t> last;
  const auto follow = [&] {
    while (const auto event = watch->Next()) {
      if (event->kind == Kind::kResync) {
        there.clear();
      } else if (event->kind == Kind::kCreated) {
        EXPECT_TRUE(there.emplace(event->name, event->generation).second);
        EXPECT_GT(event->generation, last[event->name]);
        last[event->name] = event->generation;
      } else {
        // Before a resync it may have been told that it came.
        const auto it = there.find(event->name);
        if (it != there.end()) {
          EXPECT_EQ(it->second, event->generation);
          there.erase(it);
        }
      }
    }
  };
  std::atomic<int> running = 2;
  std::vector<std::thread> threads;
  for (const HolderId holder : {kAlice, kBob}) {
    threads.emplace_back([this, holder, &running] {
      for (int round = 0; round < kRounds; ++round) {
        const std::string name = "n" + std::to_string(round % 3);
        for (const absl::StatusOr<LeaseGrant>& grant :
             {pool_->Lease(holder, Request(4096, name)),
              pool_->Attach(holder, AttachTo(name))}) {
          if (!grant.ok()) continue;
          const LeaseRef ref{grant->id, grant->generation};
          EXPECT_THAT(pool_->Release(holder, {&ref, 1}, false)[0], IsOk());
        }
      }
      --running;
    });
  }
  while (running > 0) follow();
  for (std::thread& thread : threads) thread.join();
  follow();
  EXPECT_THAT(there, IsEmpty());
  EXPECT_FALSE(last.empty());
  pool_->CheckInvariants();
}

}  // namespace
}  // namespace warmpool
