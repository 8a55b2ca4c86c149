// What tests of the lease cache share: a source that is a table, private memory
// for segments, and the part of the user.
#ifndef WARMPOOL_TESTS_CLIENT_CACHE_LEASE_CACHE_FIXTURE_H_
#define WARMPOOL_TESTS_CLIENT_CACHE_LEASE_CACHE_FIXTURE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "client/cache/lease_cache.h"
#include "client/leases/mapped_lease.h"
#include "core/memory/pages/anonymous_source.h"
#include "gtest/gtest.h"
#include "tests/client/cache/fake_lease_source.h"
#include "tests/core/base/fake_clock.h"
#include "tests/core/memory/faulty_system_calls.h"
#include "warmpool/warmpool.h"

namespace warmpool {

class LeaseCacheFixture : public ::testing::Test {
 protected:
  ~LeaseCacheFixture() override {
    Close();
    EXPECT_EQ(source_->outstanding(), 0u);
    EXPECT_EQ(calls_.live(), FaultySystemCalls::Live());
  }

  void Make(LeaseCache::Options options = {.own_thread = false}) {
    MakeBy(clock_, std::move(options));
  }

  void MakeBy(const Clock& clock, LeaseCache::Options options) {
    // What is leased ahead of need has files; the rest is anonymous memory.
    options.map =
        [this](HeldLease held) -> absl::StatusOr<std::unique_ptr<MappedLease>> {
      if (!held.granted.path().empty()) {
        return MappedLease::Map(&calls_, source_, std::move(held));
      }
      return MapAnonymous(std::move(held));
    };
    cache_ = LeaseCache::Make(source_, &calls_, &clock, options);
  }

  void Close() {
    if (cache_ == nullptr) return;
    cache_->Shut();
    cache_ = nullptr;
  }

  // Null: the source has none.
  MappedLease* LeaseOrNull(uint64_t bytes) {
    return cache_->Lease(bytes).value_or(nullptr);
  }

  MappedLease* Lease(uint64_t bytes) {
    MappedLease* const lease = LeaseOrNull(bytes);
    EXPECT_NE(lease, nullptr);
    return lease;
  }

  std::unique_ptr<MappedLease> MapAnonymous(HeldLease held) {
    if (change_grant_) change_grant_(held.granted);
    AnonymousSource memory(&calls_);
    const uint64_t bytes = held.granted.mapped_bytes();
    Segment segment;
    EXPECT_TRUE(memory
                    .Make(MappedLease::Classes().For(bytes).value(), bytes,
                          MappedLease::kOwner, Purpose::kLease, &segment)
                    .ok());
    return std::make_unique<MappedLease>(&calls_, source_, std::move(held),
                                         std::move(segment));
  }

  // As Buffer does it. Whether the cache took it.
  bool GiveBack(MappedLease* lease) {
    if (lease->cache != nullptr && lease->cache->Put(lease)) return true;
    lease->EndLater();
    delete lease;
    return false;
  }

  std::vector<MappedLease*> LeaseMany(size_t count, uint64_t bytes) {
    std::vector<MappedLease*> leases;
    for (size_t i = 0; i < count; ++i) leases.push_back(Lease(bytes));
    return leases;
  }

  void GiveBackAll(const std::vector<MappedLease*>& leases) {
    for (MappedLease* const lease : leases) GiveBack(lease);
  }

  // Lets time pass in small steps, and the cache do what falls due.
  void Pass(absl::Duration duration) {
    const absl::Time until = clock_.Now() + duration;
    while (clock_.Now() < until) {
      clock_.Advance(absl::Milliseconds(10));
      cache_->Tick();
      cache_->CheckInvariants();
    }
  }

  FaultySystemCalls calls_;
  FakeClock clock_;
  // Applied to each grant before it is mapped.
  std::function<void(v1::GrantedLease&)> change_grant_;
  std::shared_ptr<FakeLeaseSource> source_ =
      std::make_shared<FakeLeaseSource>(&calls_);
  std::shared_ptr<LeaseCache> cache_;
};

}  // namespace warmpool

#endif  // WARMPOOL_TESTS_CLIENT_CACHE_LEASE_CACHE_FIXTURE_H_
