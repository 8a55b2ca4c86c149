// Many leases that end at once: a few in each hold of the lock.
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

class PoolEndingManyTest : public PoolFixture {
 protected:
  static constexpr size_t kMany = 200;

  PoolEndingManyTest() {
    Pool::Options options = InlineOptions();
    options.default_ttl = absl::Seconds(60);
    // So that nearly every return ends a segment, under no lock.
    options.segments.bigcache.slots = 1;
    options.on_revoked = [this](const RevokedLease&) { RecordOthers(); };
    pool_ = std::make_unique<Pool>(directory_.get(), &calls_, &clock_, &random_,
                                   options);
    pool_->AddHolder({kAlice, 101, getuid(), "alice", false});
    pool_->AddHolder({kBob, 102, getuid(), "bob", false});
    LeaseOrDie(kBob, 8192, "", absl::ZeroDuration());
    for (size_t i = 0; i < kMany; ++i) LeaseOrDie(kAlice, 4096);
  }

  // What ends with the pool is not looked at: seen_ is gone by then.
  void TearDown() override { *over_ = true; }

  // What somebody else sees, in the midst of it.
  void RecordOthers() {
    std::thread([this] { seen_.push_back(pool_->stats().live_leases); }).join();
  }
  void RecordOthersBeforeUnlinks() {
    calls_.BeforeNext(Call::kUnlink, [this, over = over_] {
      if (*over) return;
      RecordOthers();
      if (seen_.size() < kMany) RecordOthersBeforeUnlinks();
    });
  }

  // Others saw it go from many to few.
  void ExpectInBetween() {
    ASSERT_FALSE(seen_.empty());
    EXPECT_GT(seen_.front(), kMany / 2);
    EXPECT_EQ(seen_.back(), 1u);
    EXPECT_EQ(pool_->stats().live_leases, 1u);
    pool_->CheckInvariants();
  }

  std::vector<size_t> seen_;
  const std::shared_ptr<bool> over_ = std::make_shared<bool>(false);
};

TEST_F(PoolEndingManyTest, ThatTheirHolderReleases) {
  std::vector<LeaseRef> refs;
  for (const BufferListing& listing : pool_->ListAll()) {
    for (const auto& lease : listing.leases) {
      if (lease.holder.id == kAlice) refs.push_back({lease.id});
    }
  }
  ASSERT_EQ(refs.size(), kMany);
  RecordOthersBeforeUnlinks();
  const std::vector<absl::Status> released =
      pool_->Release(kAlice, refs, /*revoke=*/false);
  EXPECT_EQ(released, std::vector<absl::Status>(kMany, absl::OkStatus()));
  ExpectInBetween();
}

TEST_F(PoolEndingManyTest, OfADeadHolder) {
  RecordOthersBeforeUnlinks();
  pool_->RemoveHolder(kAlice);
  ExpectInBetween();
  EXPECT_EQ(pool_->stats().holder_died, kMany);
  EXPECT_EQ(pool_->stats().holders, 1u);
}

TEST_F(PoolEndingManyTest, WhatADyingHolderIsGrantedMeanwhileEndsToo) {
  calls_.BeforeNext(Call::kUnlink, [this] {
    EXPECT_THAT(Lease(kAlice, Request(4096, "late")), IsOk());
  });
  pool_->RemoveHolder(kAlice);
  EXPECT_EQ(pool_->stats().live_leases, 1u);
  EXPECT_EQ(pool_->stats().holders, 1u);
}

TEST_F(PoolEndingManyTest, HoldersThatDieTogetherTakeTurns) {
  EXPECT_TRUE(pool_->RemoveSomeOf(kAlice));
  EXPECT_FALSE(pool_->RemoveSomeOf(kBob));
  EXPECT_EQ(pool_->stats().holders, 1u) << "Bob's is back, and he forgotten";
  EXPECT_GT(pool_->stats().live_leases, kMany / 2);
  EXPECT_TRUE(pool_->HasLeases(kAlice));
  while (pool_->RemoveSomeOf(kAlice)) pool_->CheckInvariants();
  EXPECT_EQ(pool_->stats().live_leases, 0u);
  EXPECT_EQ(pool_->stats().holders, 0u);
  EXPECT_FALSE(pool_->RemoveSomeOf(kAlice));
}

TEST_F(PoolEndingManyTest, ASearchForUnusedLeasesStopsInBetween) {
  UnusedSearch search{.since = clock_.Now() + absl::Seconds(1)};
  ASSERT_TRUE(pool_->EndSomeUnusedLeases(kAlice, &search));
  EXPECT_GT(search.ended, 0u);
  EXPECT_LT(search.ended, kMany / 2);
  // Those that it has passed by, and that are used, are not looked at again.
  while (pool_->EndSomeUnusedLeases(kAlice, &search)) {
  }
  EXPECT_EQ(search.ended, kMany);
  EXPECT_EQ(pool_->stats().unused, kMany);
}

// One lease in a channel brings the ends of all its members' leases.
TEST_F(PoolEndingManyTest, EndsAreCountedNotWhatBringsThem) {
  constexpr size_t kBuffers = 10;
  constexpr size_t kMembers = 100;
  std::vector<LeaseRef> refs;
  for (size_t i = 0; i < kBuffers; ++i) {
    LeaseRequest request = Request(4096);
    request.channel = "frames";
    const LeaseGrant grant = pool_->Lease(kBob, request).value();
    refs.push_back({grant.id, 0, /*for_all_members=*/true});
    for (size_t j = 1; j < kMembers; ++j) AttachOrDie(kBob, grant.buffer_name);
  }
  const size_t before = pool_->stats().live_leases;
  const std::vector<absl::Status> released =
      pool_->Release(kBob, refs, /*revoke=*/false);
  EXPECT_EQ(released, std::vector<absl::Status>(kBuffers, absl::OkStatus()));
  ASSERT_FALSE(seen_.empty());
  // What others see after the first hold of the lock: one buffer's are enough.
  EXPECT_EQ(seen_.front(), before - kMembers);
  EXPECT_EQ(pool_->stats().live_leases, before - kBuffers * kMembers);
  pool_->CheckInvariants();
}

TEST_F(PoolEndingManyTest, OfAForgetfulHolder) {
  RecordOthersBeforeUnlinks();
  EXPECT_EQ(pool_->EndUnusedLeases(kAlice, clock_.Now() + absl::Seconds(1)),
            kMany);
  ExpectInBetween();
}

TEST_F(PoolEndingManyTest, WhatAForgetfulHolderAsksForMeanwhileIsItsOwn) {
  const LeaseRequest request = Request(4096);
  const LeaseGrant last = Lease(kAlice, request).value();
  const absl::Time since = clock_.Now() + absl::Seconds(1);
  calls_.BeforeNext(Call::kUnlink, [&] {
    clock_.Advance(absl::Seconds(2));
    // Whichever of them are left.
    for (const BufferListing& listing : pool_->ListAll()) {
      for (const auto& lease : listing.leases) {
        (void)pool_->Renew(kAlice, {lease.id}, absl::Seconds(60));
      }
    }
  });
  const size_t ended = pool_->EndUnusedLeases(kAlice, since);
  EXPECT_LT(ended, kMany);
  EXPECT_EQ(pool_->stats().live_leases, kMany + 2 - ended);
}

TEST_F(PoolEndingManyTest, OfThoseThatExpire) {
  TickAfter(absl::Seconds(61));
  ExpectInBetween();
  EXPECT_EQ(pool_->stats().expired, kMany);
}

TEST_F(PoolEndingManyTest, OfAllThatAreRevoked) {
  EXPECT_EQ(pool_->RevokeAll(), kMany + 1);
  ASSERT_FALSE(seen_.empty());
  EXPECT_GT(seen_.front(), kMany / 2);
  EXPECT_EQ(seen_.back(), 0u);
  pool_->CheckInvariants();
}

}  // namespace
}  // namespace warmpool
