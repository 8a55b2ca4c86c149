// Leases that the cache asks for ahead of need.
#include <errno.h>

#include <utility>
#include <vector>

#include "client/cache/prefetch.h"
#include "gmock/gmock-more-matchers.h"
#include "gtest/gtest.h"
#include "tests/client/cache/lease_cache_fixture.h"

namespace warmpool {
namespace {

using Call = SystemCalls::Call;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class LeaseCachePrefetchTest : public LeaseCacheFixture {
 protected:
  LeaseCachePrefetchTest() {
    Make();
    source_->set_ready(100);
  }

  // Misses, and lets the cache ask.
  std::vector<MappedLease*> Miss(size_t count, uint64_t bytes = 2 * kMiB) {
    std::vector<MappedLease*> leases = LeaseMany(count, bytes);
    Pass(Prefetch::kPeriod);
    return leases;
  }
};

TEST_F(LeaseCachePrefetchTest, AClassThatMissesFindsItsNextLeasesThere) {
  std::vector<MappedLease*> leases = Miss(3);
  EXPECT_THAT(source_->asked_ahead(), ElementsAre(Pair(2 * kMiB, 3)));
  EXPECT_EQ(cache_->stats().prefetched, 3u);
  EXPECT_EQ(cache_->stats().idle_leases, 3u);
  const uint64_t maps = calls_.Count(Call::kMmap);
  // A little less is of the same class.
  for (int i = 0; i < 3; ++i) leases.push_back(Lease(2 * kMiB - 100));
  EXPECT_EQ(calls_.Count(Call::kMmap), maps);
  EXPECT_EQ(source_->granted(), 6u);
  EXPECT_EQ(cache_->stats().hits, 3u);
  EXPECT_EQ(cache_->stats().misses, 3u);
  GiveBackAll(leases);
  EXPECT_EQ(cache_->stats().idle_leases, 6u) << "they are as any other";
  Pass(2 * LeaseCache::Options().idle);
  EXPECT_EQ(cache_->stats().prefetched_unused, 0u);
}

TEST_F(LeaseCachePrefetchTest, OneMissAsksForNothing) {
  const std::vector<MappedLease*> leases = Miss(1);
  EXPECT_THAT(source_->asked_ahead(), IsEmpty());
  GiveBackAll(leases);
}

TEST_F(LeaseCachePrefetchTest, WhatNobodyTakesGoesBackAndIsCounted) {
  const std::vector<MappedLease*> leases = Miss(3);
  EXPECT_EQ(source_->outstanding(), 6u);
  Pass(2 * LeaseCache::Options().idle);
  EXPECT_EQ(source_->outstanding(), 3u);
  EXPECT_EQ(cache_->stats().prefetched_unused, 3u);
  GiveBackAll(leases);
}

TEST_F(LeaseCachePrefetchTest, NoMoreIsAskedForThanTheCacheHasRoomFor) {
  Close();
  Make({.max_bytes = 8 * kMiB, .own_thread = false});
  std::vector<MappedLease*> leases = Miss(3);
  EXPECT_THAT(source_->asked_ahead(), ElementsAre(Pair(2 * kMiB, 2)));
  for (MappedLease* const lease : Miss(3, kMiB)) leases.push_back(lease);
  EXPECT_EQ(source_->asked_ahead().size(), 1u) << "it is full";
  GiveBackAll(leases);
}

TEST_F(LeaseCachePrefetchTest, ATrimTakesThemAndWhatHasMissedIsForgotten) {
  std::vector<MappedLease*> leases = Miss(3);
  for (MappedLease* const lease : LeaseMany(5, kMiB)) leases.push_back(lease);
  cache_->TrimSoon(0);
  Pass(Prefetch::kPeriod);
  EXPECT_EQ(source_->asked_ahead().size(), 1u);
  EXPECT_EQ(source_->outstanding(), leases.size());
  EXPECT_EQ(cache_->stats().prefetched_unused, 3u);
  GiveBackAll(leases);
}

TEST_F(LeaseCachePrefetchTest, TurnedOffItAsksForNothing) {
  for (const LeaseCache::Options& options :
       {LeaseCache::Options{.prefetch = false, .own_thread = false},
        LeaseCache::Options{.renewed = false, .own_thread = false}}) {
    Close();
    Make(options);
    const std::vector<MappedLease*> leases = Miss(5);
    EXPECT_THAT(source_->asked_ahead(), IsEmpty());
    GiveBackAll(leases);
  }
}

TEST_F(LeaseCachePrefetchTest, OneThatCannotBeMappedGoesBack) {
  calls_.FailNth(Call::kOpen, 2, EMFILE);
  const std::vector<MappedLease*> leases = Miss(3);
  EXPECT_EQ(cache_->stats().prefetched, 2u);
  EXPECT_EQ(source_->outstanding(), 5u);
  GiveBackAll(leases);
}

TEST_F(LeaseCachePrefetchTest, WhatComesAfterTheEndGoesBack) {
  const std::vector<MappedLease*> leases = LeaseMany(3, 2 * kMiB);
  calls_.BeforeNext(Call::kOpen, [this] { cache_->Shut(); });
  clock_.Advance(Prefetch::kPeriod);
  cache_->Tick();
  EXPECT_EQ(source_->asked_ahead().size(), 1u);
  EXPECT_EQ(source_->outstanding(), 3u);
  EXPECT_EQ(cache_->stats().prefetched, 0u);
  GiveBackAll(leases);
}

}  // namespace
}  // namespace warmpool
