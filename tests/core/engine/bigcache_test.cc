#include "core/engine/bigcache.h"

#include <cstdint>
#include <list>
#include <optional>
#include <random>
#include <tuple>
#include <utility>
#include <vector>

#include "gmock/gmock-matchers.h"
#include "gtest/gtest.h"
#include "tests/core/base/fake_clock.h"

namespace warmpool {
namespace {

using ::testing::ElementsAre;

// Segments here are handles of nothing: BigCache ends none, so it never looks
// at what they stand for. Their address tells them apart.
class BigCacheTest : public testing::Test {
 protected:
  ~BigCacheTest() override {
    std::vector<Eviction> evicted;
    if (cache_.has_value())
      cache_->EvictAll(EvictionReason::kDrained, &evicted);
  }

  void Make(const BigCache::Options& options) { cache_.emplace(options); }

  static Segment Handle(uintptr_t id, uid_t owner = 1000,
                        uint64_t bytes = 2 * kMiB) {
    Segment segment(SizeClasses().For(bytes).value(), bytes, owner);
    segment.set_data(reinterpret_cast<std::byte*>(id));
    return segment;
  }

  static uintptr_t IdOf(const Segment& segment) {
    return reinterpret_cast<uintptr_t>(segment.data());
  }

  // Retains; returns the ids evicted for it.
  std::vector<uintptr_t> Retain(Segment segment) {
    std::vector<Eviction> evicted;
    cache_->Retain(std::move(segment), clock_.Now(), &evicted);
    cache_->CheckInvariants();
    return IdsOf(evicted);
  }

  std::vector<uintptr_t> Retain(uintptr_t id) { return Retain(Handle(id)); }

  // Takes; 0 for a miss.
  uintptr_t Take(uid_t owner = 1000, uint64_t bytes = 2 * kMiB) {
    const std::optional<Segment> taken =
        cache_->Take(owner, SizeClasses().For(bytes).value(), clock_.Now());
    cache_->CheckInvariants();
    return taken.has_value() ? IdOf(*taken) : 0;
  }

  std::vector<uintptr_t> IdsOf(const std::vector<Eviction>& evicted) {
    std::vector<uintptr_t> ids;
    for (const Eviction& eviction : evicted) {
      ids.push_back(IdOf(eviction.segment));
      last_reason_ = eviction.reason;
    }
    return ids;
  }

  uint64_t Evictions(EvictionReason reason) const {
    return cache_->counts().evictions[static_cast<size_t>(reason)];
  }

  FakeClock clock_;
  std::optional<BigCache> cache_;
  EvictionReason last_reason_ = EvictionReason::kDrained;
};

TEST_F(BigCacheTest, GivesTheNewestFirst) {
  Make({});
  for (const uintptr_t id : {1, 2, 3}) Retain(id);
  EXPECT_EQ(Take(), 3u);
  EXPECT_EQ(Take(), 2u);
  Retain(4);
  EXPECT_EQ(Take(), 4u);
  EXPECT_EQ(Take(), 1u);
  EXPECT_EQ(Take(), 0u);
  EXPECT_EQ(cache_->counts().hits, 4u);
  EXPECT_EQ(cache_->counts().misses, 1u);
  EXPECT_EQ(cache_->counts().retained, 4u);
}

TEST_F(BigCacheTest, AFullRingEvictsItsOldest) {
  Make({.slots = 2});
  EXPECT_THAT(Retain(1), ElementsAre());
  EXPECT_THAT(Retain(2), ElementsAre());
  EXPECT_THAT(Retain(3), ElementsAre(1));
  EXPECT_EQ(last_reason_, EvictionReason::kRingFull);
  EXPECT_THAT(Retain(4), ElementsAre(2));
  EXPECT_EQ(Evictions(EvictionReason::kRingFull), 2u);
  EXPECT_EQ(cache_->retained_segments(), 2u);
  EXPECT_EQ(cache_->retained_bytes(), 4 * kMiB);
}

TEST_F(BigCacheTest, WithoutSlotsNothingIsRetained) {
  Make({.slots = 0});
  EXPECT_THAT(Retain(1), ElementsAre(1));
  EXPECT_EQ(cache_->retained_bytes(), 0u);
}

TEST_F(BigCacheTest, FourSlotsUnlessToldOtherwise) {
  Make({});
  for (const uintptr_t id : {1, 2, 3, 4})
    EXPECT_THAT(Retain(id), ElementsAre());
  EXPECT_THAT(Retain(5), ElementsAre(1));
}

TEST_F(BigCacheTest, UidsNeverShare) {
  Make({.slots = 1});
  Retain(Handle(1, /*owner=*/1000));
  EXPECT_EQ(Take(/*owner=*/1001), 0u);
  EXPECT_THAT(Retain(Handle(2, /*owner=*/1001)), ElementsAre())
      << "another uid's ring has slots of its own";
  EXPECT_EQ(Take(1001), 2u);
  EXPECT_EQ(Take(1000), 1u);
}

TEST_F(BigCacheTest, SizeClassesNeverShare) {
  Make({.slots = 1});
  Retain(Handle(1, 1000, 2 * kMiB));
  EXPECT_EQ(Take(1000, kMiB), 0u);
  EXPECT_EQ(Take(1000, 3 * kMiB), 0u);
  EXPECT_EQ(Take(1000, 2 * kMiB), 1u);
}

TEST_F(BigCacheTest, TheByteCapEvictsTheColdestOfAllRings) {
  Make({.max_bytes = 4 * kMiB});
  Retain(Handle(1, 1000, kMiB));
  Retain(Handle(2, 1001, 2 * kMiB));
  Retain(Handle(3, 1000, kMiB));
  EXPECT_THAT(Retain(Handle(4, 1002, 2 * kMiB)), ElementsAre(1, 2));
  EXPECT_EQ(last_reason_, EvictionReason::kByteCap);
  EXPECT_EQ(cache_->retained_bytes(), 3 * kMiB);
}

TEST_F(BigCacheTest, WhatIsAboveTheCapByItselfEvictsAll) {
  Make({.max_bytes = 4 * kMiB});
  Retain(Handle(1, 1000, kMiB));
  EXPECT_THAT(Retain(Handle(2, 1000, 5 * kMiB)), ElementsAre(1, 2));
  EXPECT_EQ(cache_->retained_segments(), 0u);
}

TEST_F(BigCacheTest, WhatNobodyAskedForDecays) {
  Make({.decay = absl::Seconds(10)});
  EXPECT_EQ(cache_->NextDecay(), absl::InfiniteFuture());
  const absl::Time start = clock_.Now();
  Retain(1);
  clock_.Advance(absl::Seconds(4));
  Retain(Handle(2, 1001));

  std::vector<Eviction> evicted;
  clock_.Advance(absl::Seconds(6) - absl::Nanoseconds(1));
  EXPECT_EQ(cache_->EvictDecayed(clock_.Now(), &evicted),
            start + absl::Seconds(10));
  EXPECT_TRUE(evicted.empty());
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_EQ(cache_->EvictDecayed(clock_.Now(), &evicted),
            start + absl::Seconds(14));
  EXPECT_THAT(IdsOf(evicted), ElementsAre(1));
  EXPECT_EQ(last_reason_, EvictionReason::kDecayed);

  evicted.clear();
  clock_.Advance(absl::Seconds(4));
  EXPECT_EQ(cache_->EvictDecayed(clock_.Now(), &evicted),
            absl::InfiniteFuture());
  EXPECT_THAT(IdsOf(evicted), ElementsAre(2));
}

TEST_F(BigCacheTest, ReuseStartsTheDecayAnew) {
  Make({.decay = absl::Seconds(10)});
  Retain(1);
  clock_.Advance(absl::Seconds(9));
  ASSERT_EQ(Take(), 1u);
  Retain(1);
  EXPECT_EQ(cache_->NextDecay(), clock_.Now() + absl::Seconds(10));
}

TEST_F(BigCacheTest, WithoutDecayNothingDecays) {
  Make({.decay = absl::InfiniteDuration()});
  Retain(1);
  clock_.Advance(absl::Hours(24 * 365));
  std::vector<Eviction> evicted;
  EXPECT_EQ(cache_->EvictDecayed(clock_.Now(), &evicted),
            absl::InfiniteFuture());
  EXPECT_TRUE(evicted.empty());
}

TEST_F(BigCacheTest, RoomIsMadeFromTheColdestAndNoMoreThanAsked) {
  Make({});
  Retain(Handle(1, 1000, kMiB));
  Retain(Handle(2, 1001, 2 * kMiB));
  Retain(Handle(3, 1000, kMiB));
  std::vector<Eviction> evicted;
  cache_->EvictForRoom(kMiB + 1, &evicted);
  EXPECT_THAT(IdsOf(evicted), ElementsAre(1, 2));
  EXPECT_EQ(last_reason_, EvictionReason::kForRoom);
  evicted.clear();
  cache_->EvictForRoom(0, &evicted);
  EXPECT_TRUE(evicted.empty());
  cache_->EvictForRoom(UINT64_MAX, &evicted);
  EXPECT_THAT(IdsOf(evicted), ElementsAre(3));
  EXPECT_EQ(cache_->retained_bytes(), 0u);
}

TEST_F(BigCacheTest, WhatIsUnfitGoesWhereverItIs) {
  Make({.slots = 8});
  for (const uintptr_t id : {1, 2, 3, 4}) Retain(id);
  Retain(Handle(5, 2000));
  Retain(Handle(6, 1000, 64 * kKiB));
  std::vector<Eviction> evicted;
  cache_->EvictIf([](const Segment& segment) { return IdOf(segment) % 2 == 0; },
                  &evicted);
  cache_->CheckInvariants();
  EXPECT_THAT(IdsOf(evicted), testing::UnorderedElementsAre(2, 4, 6));
  EXPECT_EQ(evicted[0].reason, EvictionReason::kUnfit);
  EXPECT_EQ(cache_->counts().evictions_total(), 3u);
  EXPECT_EQ(Take(), 3u);
  EXPECT_EQ(Take(), 1u);
  EXPECT_EQ(Take(2000), 5u);
}

TEST_F(BigCacheTest, EvictAllLeavesNothing) {
  Make({});
  Retain(1);
  Retain(Handle(2, 1001));
  std::vector<Eviction> evicted;
  cache_->EvictAll(EvictionReason::kPressure, &evicted);
  EXPECT_THAT(IdsOf(evicted), ElementsAre(1, 2));
  EXPECT_EQ(Evictions(EvictionReason::kPressure), 2u);
  EXPECT_EQ(cache_->counts().evictions_total(), 2u);
  EXPECT_EQ(Take(), 0u);
}

TEST_F(BigCacheTest, AdaptiveRingsKeepAPeaksWorth) {
  Make({.slots = std::nullopt, .decay = absl::Hours(1)});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Take(), 0u);
  for (uintptr_t id = 1; id <= 20; ++id) {
    EXPECT_THAT(Retain(id), ElementsAre());
  }
  // The next peak of that height makes nothing.
  for (int i = 0; i < 20; ++i) EXPECT_NE(Take(), 0u);
}

TEST_F(BigCacheTest, AdaptiveRingsKeepTheDefaultAtLeast) {
  Make({.slots = std::nullopt, .decay = absl::Hours(1)});
  for (uintptr_t id = 1; id <= BigCache::kMinAdaptiveSlots; ++id) {
    EXPECT_THAT(Retain(id), ElementsAre());
  }
  EXPECT_THAT(Retain(99), ElementsAre(1));
}

TEST_F(BigCacheTest, AdaptiveRingsForgetAPeak) {
  // The window is the decay time; what is retained is kept young by reuse.
  Make({.slots = std::nullopt, .decay = absl::Seconds(10)});
  for (int i = 0; i < 20; ++i) Take();
  for (uintptr_t id = 1; id <= 20; ++id) Retain(id);
  EXPECT_EQ(cache_->retained_segments(), 20u);
  clock_.Advance(absl::Seconds(20));
  ASSERT_EQ(Take(), 20u);
  EXPECT_EQ(Retain(20).size(), 16u);
  EXPECT_EQ(cache_->retained_segments(), BigCache::kMinAdaptiveSlots);
}

TEST_F(BigCacheTest, AdaptiveRingsCountWhatWasMetWithoutThem) {
  Make({.slots = std::nullopt, .decay = absl::Hours(1)});
  const SizeClass size_class = SizeClasses().For(2 * kMiB).value();
  for (int i = 0; i < 10; ++i) {
    cache_->RecordAcquired(1000, size_class, clock_.Now());
  }
  cache_->RecordDropped(1000, size_class, clock_.Now());
  for (uintptr_t id = 1; id <= 9; ++id) EXPECT_THAT(Retain(id), ElementsAre());
  EXPECT_EQ(cache_->counts().misses, 0u);
}

using BigCacheDeathTest = BigCacheTest;

TEST_F(BigCacheDeathTest, DroppingWhatIsRetainedAborts) {
  EXPECT_DEATH(
      {
        BigCache cache({});
        std::vector<Eviction> evicted;
        cache.Retain(Handle(1), clock_.Now(), &evicted);
      },
      "destroyed before EvictAll");
}

// Against the plainest cache that there is: one list, the coldest first.
TEST_F(BigCacheTest, DoesWhatAPlainListDoes) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const size_t slots = random() % 4;
    const uint64_t max_bytes = 6 * kMiB;
    const absl::Duration decay = absl::Seconds(10);
    Make({.slots = slots, .max_bytes = max_bytes, .decay = decay});
    struct Plain {
      uintptr_t id;
      uid_t owner;
      uint64_t bytes;
      absl::Time at;
    };
    std::list<Plain> plain;
    const auto bytes_of_plain = [&] {
      uint64_t bytes = 0;
      for (const Plain& entry : plain) bytes += entry.bytes;
      return bytes;
    };
    uintptr_t next_id = 1;
    for (int step = 0; step < 300; ++step) {
      const uid_t owner = 1000 + random() % 2;
      const uint64_t bytes = (1 + random() % 2) * kMiB;
      switch (random() % 4) {
        case 0:
        case 1: {
          Retain(Handle(next_id, owner, bytes));
          plain.push_back({next_id++, owner, bytes, clock_.Now()});
          size_t same = 0;
          for (auto it = plain.rbegin(); it != plain.rend(); ++it) {
            if (it->owner != owner || it->bytes != bytes) continue;
            if (++same <= slots) continue;
            plain.erase(std::next(it).base());
            break;
          }
          while (bytes_of_plain() > max_bytes) plain.pop_front();
          break;
        }
        case 2: {
          uintptr_t expected = 0;
          for (auto it = plain.rbegin(); it != plain.rend(); ++it) {
            if (it->owner != owner || it->bytes != bytes) continue;
            expected = it->id;
            plain.erase(std::next(it).base());
            break;
          }
          ASSERT_EQ(Take(owner, bytes), expected);
          break;
        }
        case 3: {
          clock_.Advance(absl::Seconds(random() % 4));
          std::vector<Eviction> evicted;
          cache_->EvictDecayed(clock_.Now(), &evicted);
          plain.remove_if(
              [&](const Plain& e) { return e.at + decay <= clock_.Now(); });
          break;
        }
      }
      cache_->CheckInvariants();
      ASSERT_EQ(cache_->retained_segments(), plain.size());
      ASSERT_EQ(cache_->retained_bytes(), bytes_of_plain());
    }
    std::vector<Eviction> evicted;
    cache_->EvictAll(EvictionReason::kDrained, &evicted);
    std::vector<uintptr_t> expected;
    for (const Plain& entry : plain) expected.push_back(entry.id);
    EXPECT_EQ(IdsOf(evicted), expected);
  }
}

}  // namespace
}  // namespace warmpool
