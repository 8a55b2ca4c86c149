// The lease cache, with time that passes when a test says so and no thread of
// its own.
#include "client/cache/lease_cache.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/cache/lease_return.h"
#include "gtest/gtest.h"
#include "tests/client/cache/lease_cache_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;

class LeaseCacheTest : public LeaseCacheFixture {
 protected:
  LeaseCacheTest() { Make(); }
};

TEST_F(LeaseCacheTest, AReleasedLeaseIsTheNextOfItsClass) {
  MappedLease* const lease = Lease(2 * kMiB);
  EXPECT_FALSE(lease->reused);
  EXPECT_TRUE(GiveBack(lease));
  EXPECT_EQ(cache_->stats().idle_bytes, 2 * kMiB);
  EXPECT_EQ(cache_->stats().idle_leases, 1u);
  MappedLease* const other = Lease(64 * kKiB);
  EXPECT_EQ(other->granted.lease_id(), "lease 2");
  // A little less is of the same class.
  MappedLease* const again = Lease(2 * kMiB - 100);
  EXPECT_EQ(again, lease);
  EXPECT_TRUE(again->reused);
  EXPECT_EQ(source_->granted(), 2u);
  EXPECT_EQ(cache_->stats().hits, 1u);
  EXPECT_EQ(cache_->stats().misses, 2u);
  EXPECT_EQ(cache_->stats().idle_leases, 0u);
  GiveBack(again);
  GiveBack(other);
}

TEST_F(LeaseCacheTest, TheHotPairAsksNobody) {
  GiveBack(Lease(2 * kMiB));
  const uint64_t calls =
      calls_.Count(Call::kMmap) + calls_.Count(Call::kMunmap);
  for (int i = 0; i < 1000; ++i) {
    MappedLease* const lease = cache_->Take(2 * kMiB);
    ASSERT_NE(lease, nullptr);
    ASSERT_TRUE(cache_->Put(lease));
  }
  EXPECT_EQ(calls_.Count(Call::kMmap) + calls_.Count(Call::kMunmap), calls);
  EXPECT_EQ(source_->granted(), 1u);
  EXPECT_EQ(cache_->stats().hits, 1000u);
}

TEST_F(LeaseCacheTest, WhatTheTierHasNoRoomForIsFoundAgainToo) {
  // More of one class than a thread has slots.
  GiveBackAll(LeaseMany(20, 64 * kKiB));
  EXPECT_EQ(cache_->stats().idle_leases, 20u);
  // Too large for any slot.
  GiveBack(Lease(64 * kMiB));
  std::vector<MappedLease*> again = LeaseMany(20, 64 * kKiB);
  again.push_back(Lease(64 * kMiB));
  EXPECT_EQ(source_->granted(), 21u);
  EXPECT_EQ(cache_->stats().hits, 21u);
  cache_->CheckInvariants();
  GiveBackAll(again);
}

TEST_F(LeaseCacheTest, ALeaseWhoseNameIsKnownToOthersIsNotKept) {
  MappedLease* const lease = Lease(2 * kMiB);
  lease->shared = true;
  EXPECT_FALSE(GiveBack(lease));
  EXPECT_EQ(source_->outstanding(), 0u);
}

TEST_F(LeaseCacheTest, ALeaseThatHasEndedIsNotKept) {
  MappedLease* const lease = Lease(2 * kMiB);
  source_->SayEnded(lease->granted.lease_id());
  EXPECT_FALSE(GiveBack(lease));
  EXPECT_EQ(source_->outstanding(), 0u);
}

TEST_F(LeaseCacheTest, ALeaseThatEndsInTheCacheIsPassedOver) {
  // In the tier, and behind it.
  for (const uint64_t bytes : {2 * kMiB, 64 * kMiB}) {
    std::vector<MappedLease*> leases = LeaseMany(2, bytes);
    const std::string sound = leases[0]->granted.lease_id();
    const std::string ended = leases[1]->granted.lease_id();
    GiveBackAll(leases);
    source_->SayEnded(ended);
    MappedLease* const first = Lease(bytes);
    EXPECT_EQ(first->granted.lease_id(), sound);
    MappedLease* const second = Lease(bytes);
    EXPECT_NE(second->granted.lease_id(), ended);
    Pass(LeaseReturn::kMaxAge);
    EXPECT_FALSE(source_->IsOutstanding(ended)) << "unmapped and released";
    GiveBack(first);
    GiveBack(second);
  }
  EXPECT_EQ(cache_->stats().hits, 2u);
  EXPECT_EQ(cache_->stats().misses, 6u);
}

TEST_F(LeaseCacheTest, ALeaseThatEndsInTheCacheDoesNotStayForLong) {
  // Though nobody asks for one like it: its pages are of no use to anybody.
  Close();
  Make({.idle = absl::Minutes(1), .own_thread = false});
  MappedLease* const lease = Lease(64 * kMiB);
  const std::string id = lease->granted.lease_id();
  GiveBack(lease);
  source_->SayEnded(id);
  Pass(absl::Seconds(15) + LeaseReturn::kMaxAge);
  EXPECT_FALSE(source_->IsOutstanding(id));
}

TEST_F(LeaseCacheTest, KeepsWhatServesAnyRequestAndNothingElse) {
  uint64_t bytes = 2 * kMiB;
  const auto kept = [&](auto change) {
    // Not from the cache.
    cache_->ReleaseAll();
    change_grant_ = change;
    return GiveBack(Lease(bytes));
  };
  EXPECT_FALSE(kept([](v1::GrantedLease& granted) {
    granted.set_access(v1::ACCESS_READ_ONLY);
  }));
  // A daemon with other classes.
  EXPECT_FALSE(kept(
      [](v1::GrantedLease& granted) { granted.set_mapped_bytes(3 * kMiB); }));
  EXPECT_TRUE(kept([](v1::GrantedLease&) {}));
  // Renewed.
  EXPECT_TRUE(kept([](v1::GrantedLease& granted) {
    granted.mutable_ttl()->set_seconds(5);
  }));
  // More than the cache would ever keep.
  bytes = 129 * kMiB;
  EXPECT_FALSE(kept([](v1::GrantedLease&) {}));
}

TEST_F(LeaseCacheTest, WithoutRenewalOnlyLeasesWithoutAnEndAreKept) {
  Close();
  Make({.renewed = false, .own_thread = false});
  MappedLease* const lasting = Lease(2 * kMiB);
  change_grant_ = [](v1::GrantedLease& granted) {
    granted.mutable_ttl()->set_nanos(1);
  };
  MappedLease* const ending = Lease(2 * kMiB);
  EXPECT_TRUE(GiveBack(lasting));
  EXPECT_FALSE(GiveBack(ending));
}

TEST_F(LeaseCacheTest, TheCapHoldsForAllThreadsTogether) {
  Close();
  constexpr uint64_t kCap = 16 * kMiB;
  Make({.max_bytes = kCap, .own_thread = false});
  // Each thread has a shard of the tier.
  std::vector<MappedLease*> leases;
  for (const uint64_t bytes : {4 * kKiB, 64 * kKiB, 256 * kKiB, 1 * kMiB}) {
    for (MappedLease* const lease : LeaseMany(160, bytes)) {
      leases.push_back(lease);
    }
  }
  for (size_t t = 0; t < 20; ++t) {
    std::thread([&] {
      for (size_t i = t; i < leases.size(); i += 20) {
        GiveBack(leases[i]);
        EXPECT_LE(cache_->stats().idle_bytes, kCap);
      }
    }).join();
    cache_->CheckInvariants();
  }
  EXPECT_GT(cache_->stats().idle_bytes, kCap / 2);
  cache_->Tick();
  clock_.Advance(LeaseReturn::kMaxAge);
  cache_->Tick();
  EXPECT_EQ(source_->outstanding(), cache_->stats().idle_leases)
      << "the rest is released";
}

TEST_F(LeaseCacheTest, WhatNobodyTakesGoesBackWhenItsTimeIsUp) {
  // In the tier and behind it.
  GiveBack(Lease(2 * kMiB));
  GiveBack(Lease(64 * kMiB));
  const absl::Duration idle = LeaseCache::Options().idle;
  Pass(idle / 2 - absl::Milliseconds(20));
  EXPECT_EQ(cache_->stats().idle_leases, 2u);
  Pass(idle / 2 + absl::Milliseconds(20) + LeaseReturn::kMaxAge);
  EXPECT_EQ(source_->outstanding(), 0u);
  EXPECT_EQ(cache_->stats().released_surplus, 2u);
  EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
}

TEST_F(LeaseCacheTest, WhatIsInUseAgainAndAgainStays) {
  GiveBack(Lease(2 * kMiB));
  for (int i = 0; i < 100; ++i) {
    Pass(absl::Milliseconds(300));
    GiveBack(Lease(2 * kMiB));
  }
  EXPECT_EQ(source_->granted(), 1u);
}

TEST_F(LeaseCacheTest, ManyAreUnmappedTogetherAndReleasedInOneCall) {
  GiveBackAll(LeaseMany(40, 64 * kKiB));
  Pass(2 * LeaseCache::Options().idle);
  EXPECT_EQ(source_->outstanding(), 0u);
  // Those behind the tier, then those of the tier; 64 make a batch.
  EXPECT_LE(source_->releases().size(), 3u);
  EXPECT_EQ(source_->waited(), 0u);
}

TEST_F(LeaseCacheTest, SleepsWhileThereIsNothing) {
  EXPECT_EQ(cache_->Tick(), absl::InfiniteFuture());
  GiveBack(Lease(2 * kMiB));
  EXPECT_LT(cache_->Tick(), absl::InfiniteFuture());
  Pass(2 * LeaseCache::Options().idle);
  EXPECT_EQ(cache_->Tick(), absl::InfiniteFuture());
  // And wakes again, also while a lease is in use.
  MappedLease* const lease = Lease(2 * kMiB);
  EXPECT_EQ(cache_->Tick(), absl::InfiniteFuture());
  EXPECT_TRUE(GiveBack(lease));
  EXPECT_LT(cache_->Tick(), absl::InfiniteFuture());
  EXPECT_EQ(Lease(2 * kMiB), lease);
  GiveBack(lease);
}

TEST_F(LeaseCacheTest, ATrimGivesBackAllBeforeItReturns) {
  GiveBackAll(LeaseMany(20, 64 * kKiB));
  MappedLease* const in_use = Lease(2 * kMiB);
  cache_->Trim(0);
  EXPECT_EQ(source_->outstanding(), 1u);
  EXPECT_EQ(calls_.live().mappings, 1u);
  EXPECT_EQ(cache_->stats().idle_bytes, 0u);
  EXPECT_EQ(cache_->stats().trims, 1u);
  EXPECT_EQ(source_->releases(), std::vector<size_t>{20});
  EXPECT_TRUE(GiveBack(in_use)) << "the cache goes on";
}

TEST_F(LeaseCacheTest, ATrimGivesBackNoMoreThanWantedAndTheColdestFirst) {
  // Too large for the tier, so that their order is known.
  std::vector<MappedLease*> leases = LeaseMany(4, 16 * kMiB);
  const std::string coldest = leases[0]->granted.lease_id();
  GiveBackAll(leases);
  MappedLease* const hot = Lease(2 * kMiB);
  GiveBack(hot);
  cache_->Trim(1);
  EXPECT_FALSE(source_->IsOutstanding(coldest));
  EXPECT_EQ(source_->outstanding(), 4u);
  cache_->Trim(48 * kMiB);
  EXPECT_EQ(source_->outstanding(), 1u);
  EXPECT_EQ(Lease(2 * kMiB), hot);
  GiveBack(hot);
  cache_->Trim(2 * kMiB);
  EXPECT_EQ(source_->outstanding(), 0u) << "the tier, too";
}

TEST_F(LeaseCacheTest, ATrimThatMayNotTakeLongIsDoneByTheNextTick) {
  GiveBack(Lease(2 * kMiB));
  cache_->TrimSoon(1);
  cache_->TrimSoon(0);
  EXPECT_EQ(source_->outstanding(), 1u);
  cache_->Tick();
  EXPECT_EQ(source_->outstanding(), 0u);
  EXPECT_EQ(cache_->stats().trims, 1u);
}

TEST_F(LeaseCacheTest, ReleasingAllTellsTheSourceInOneCall) {
  EXPECT_FALSE(cache_->ReleaseAll());
  source_->set_capacity(4 * kMiB);
  GiveBackAll(LeaseMany(2, 2 * kMiB));
  EXPECT_TRUE(cache_->ReleaseAll());
  EXPECT_EQ(source_->releases(), std::vector<size_t>{2});
  EXPECT_EQ(source_->waited(), 0u);
  EXPECT_EQ(source_->outstanding(), 0u);
  EXPECT_FALSE(cache_->ReleaseAll());
}

TEST_F(LeaseCacheTest, ALeaseThatFindsNoRoomGivesBackWhatLiesIdle) {
  source_->set_capacity(4 * kMiB);
  GiveBackAll(LeaseMany(2, 2 * kMiB));
  GiveBack(Lease(4 * kMiB));
  EXPECT_EQ(source_->releases(), std::vector<size_t>{2});
  EXPECT_EQ(LeaseOrNull(8 * kMiB), nullptr);
  EXPECT_EQ(source_->outstanding(), 0u);
}

TEST_F(LeaseCacheTest, AShutOneHasReleasedAllAndKeepsNothing) {
  MappedLease* const in_use = Lease(2 * kMiB);
  MappedLease* const too = Lease(64 * kKiB);
  GiveBackAll(LeaseMany(20, 64 * kKiB));
  cache_->Shut();
  EXPECT_EQ(source_->outstanding(), 2u);
  EXPECT_FALSE(GiveBack(in_use));
  EXPECT_EQ(cache_->Tick(), absl::InfiniteFuture());
  cache_->Trim(0);
  EXPECT_FALSE(cache_->ReleaseAll());
  cache_->Shut();
  // A lease may outlive whoever had the cache.
  const std::weak_ptr<LeaseCache> gone = cache_;
  cache_ = nullptr;
  EXPECT_FALSE(gone.expired());
  EXPECT_FALSE(GiveBack(too));
  EXPECT_TRUE(gone.expired());
  EXPECT_EQ(source_->outstanding(), 0u);
}

TEST_F(LeaseCacheTest, TellsWhatIsIdleWhenItChangesAndNotTooOften) {
  const auto told = [this] {
    std::vector<uint64_t> bytes;
    for (const v1::IdleReport& report : source_->reports()) {
      bytes.push_back(report.idle_bytes());
    }
    return bytes;
  };
  GiveBack(Lease(64 * kKiB));
  Pass(absl::Milliseconds(500));
  EXPECT_EQ(told(), std::vector<uint64_t>{}) << "too little to matter";
  GiveBackAll(LeaseMany(4, 2 * kMiB));
  cache_->Tick();
  EXPECT_EQ(told(), std::vector<uint64_t>{8 * kMiB + 64 * kKiB});
  EXPECT_EQ(source_->reports()[0].idle_leases(), 5u);
  GiveBackAll(LeaseMany(8, 2 * kMiB));
  cache_->Tick();
  EXPECT_EQ(told().size(), 1u) << "not again within a second";
  std::vector<MappedLease*> in_use = LeaseMany(8, 2 * kMiB);
  Pass(3 * LeaseCache::Options().idle);
  EXPECT_LE(told().size(), 4u);
  EXPECT_EQ(told().back(), 0u) << "that nothing is idle is always told";
  GiveBackAll(in_use);
}

TEST_F(LeaseCacheTest, AForkedChildNeverUsesIt) {
  MappedLease* const in_use = Lease(2 * kMiB);
  GiveBackAll(LeaseMany(20, 64 * kKiB));
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    const bool none = cache_->Take(64 * kKiB) == nullptr &&
                      !cache_->Put(in_use) && !cache_->ReleaseAll() &&
                      cache_->stats().idle_leases == 0;
    cache_->Trim(0);
    cache_->TrimSoon(0);
    cache_->Shut();
    // The last reference leaves it as it is: it was not shut.
    in_use->cache = nullptr;
    cache_ = nullptr;
    _exit(none ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(source_->outstanding(), 21u);
  EXPECT_TRUE(GiveBack(in_use));
  EXPECT_EQ(cache_->stats().idle_leases, 21u);
}

}  // namespace
}  // namespace warmpool
