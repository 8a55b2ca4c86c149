// The lease cache with its own thread and many users at once.
#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "gtest/gtest.h"
#include "tests/client/cache/lease_cache_fixture.h"

namespace warmpool {
namespace {

class LeaseCacheThreadsTest : public LeaseCacheFixture {
 protected:
  void MakeWithThread(LeaseCache::Options options) {
    MakeBy(MonotonicClock::Get(), std::move(options));
  }

  // Leases, holds for a while and gives back, until `stop`.
  void Use(unsigned seed, const std::atomic<bool>& stop) {
    std::mt19937 random(seed);
    std::vector<MappedLease*> held;
    while (!stop) {
      if (held.size() < 12 && random() % 2 == 0) {
        const uint64_t bytes = uint64_t{4096} << random() % 9;
        MappedLease* const lease = Lease(bytes);
        EXPECT_FALSE(lease->has_ended());
        // Nobody else has it.
        EXPECT_EQ(*lease->segment.data(), std::byte{0});
        *lease->segment.data() = std::byte{1};
        held.push_back(lease);
      } else if (!held.empty()) {
        MappedLease* const lease = held[random() % held.size()];
        std::erase(held, lease);
        EXPECT_EQ(*lease->segment.data(), std::byte{1});
        *lease->segment.data() = std::byte{0};
        if (random() % 50 == 0) lease->shared = true;
        if (random() % 50 == 0) {
          source_->SayEnded(lease->granted.lease_id());
        }
        GiveBack(lease);
      }
    }
    for (MappedLease* const lease : held) {
      *lease->segment.data() = std::byte{0};
      GiveBack(lease);
    }
  }

  // Whether `done` becomes true in time.
  template <typename Done>
  bool Within(absl::Duration time, Done done) {
    const Clock& clock = MonotonicClock::Get();
    for (const absl::Time until = clock.Now() + time; clock.Now() < until;) {
      if (done()) return true;
      std::this_thread::yield();
    }
    return done();
  }
};

TEST_F(LeaseCacheThreadsTest, NoLeaseIsWithTwoOrLostWhateverHappens) {
  MakeWithThread({.max_bytes = 4 * kMiB, .idle = LeaseCache::kMinIdle});
  source_->set_ready(100'000);
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 6; ++t) {
    threads.emplace_back([this, t, &stop] { Use(t, stop); });
  }
  threads.emplace_back([this, &stop] {
    for (int i = 0; !stop; ++i) {
      if (i % 3 == 0) cache_->Trim(i % 2 == 0 ? 0 : kMiB);
      if (i % 3 == 1) cache_->TrimSoon(kMiB);
      if (i % 30 == 2) cache_->ReleaseAll();
      EXPECT_LE(cache_->stats().idle_bytes, 4 * kMiB);
      cache_->CheckInvariants();
      std::this_thread::yield();
    }
  });
  EXPECT_TRUE(Within(absl::Seconds(60),
                     [this] { return source_->granted() >= 5'000; }));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  Close();
  EXPECT_EQ(source_->outstanding(), 0u);
}

TEST_F(LeaseCacheThreadsTest, BuffersMayComeBackWhileTheirClientGoes) {
  for (int round = 0; round < 200; ++round) {
    MakeWithThread({});
    std::vector<MappedLease*> leases = LeaseMany(8, 64 * kKiB);
    if (round % 2 == 0) GiveBack(Lease(64 * kKiB));  // Awake.
    std::atomic<bool> go = false;
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        while (!go) std::this_thread::yield();
        for (size_t i = t; i < leases.size(); i += 2) GiveBack(leases[i]);
      });
    }
    go = true;
    cache_->Shut();
    cache_ = nullptr;
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(source_->outstanding(), 0u);
  }
}

TEST_F(LeaseCacheThreadsTest, TheDaemonsWishIsObeyedThoughTheOwnerIsIdle) {
  MakeWithThread({.idle = absl::Hours(1)});
  GiveBackAll(LeaseMany(20, 2 * kMiB));
  const absl::Time asked = MonotonicClock::Get().Now();
  cache_->TrimSoon(0);
  EXPECT_TRUE(Within(absl::Seconds(30),
                     [this] { return source_->outstanding() == 0; }));
  RecordProperty("microseconds", static_cast<int>(absl::ToInt64Microseconds(
                                     MonotonicClock::Get().Now() - asked)));
}

TEST_F(LeaseCacheThreadsTest, WhatIsIdleGoesBackWithoutTraffic) {
  MakeWithThread({.idle = LeaseCache::kMinIdle});
  for (int i = 0; i < 3; ++i) {
    GiveBackAll(LeaseMany(20, 64 * kKiB));
    EXPECT_TRUE(Within(absl::Seconds(30),
                       [this] { return source_->outstanding() == 0; }));
  }
}

TEST_F(LeaseCacheThreadsTest, SurplusGoesBackSoonThoughNothingElseIsDue) {
  MakeWithThread({.max_bytes = 4 * kMiB, .idle = absl::Hours(1)});
  GiveBackAll(LeaseMany(40, 256 * kKiB));
  EXPECT_TRUE(Within(absl::Seconds(30), [this] {
    return source_->outstanding_bytes() <= 4 * kMiB;
  }));
}

}  // namespace
}  // namespace warmpool
