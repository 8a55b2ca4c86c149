// The lease cache against a model: whatever happens in whatever order, every
// lease granted is in use, in the cache, on its way back, or released once.
#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/client/cache/lease_cache_fixture.h"

namespace warmpool {
namespace {

constexpr uint64_t kCap = 32 * kMiB;
constexpr uint64_t kCapacity = 64 * kMiB;

class LeaseCacheModelTest : public LeaseCacheFixture,
                            public ::testing::WithParamInterface<unsigned> {
 protected:
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  uint64_t DrawBytes() {
    // As many small ones as large ones.
    return 1 + Below(uint64_t{1} << (12 + Below(12)));
  }

  void LeaseOne() {
    const uint64_t bytes = DrawBytes();
    MappedLease* const lease = LeaseOrNull(bytes);
    if (lease == nullptr) {
      ++refused_;
      cache_->ReleaseAll();
      return;
    }
    EXPECT_GE(lease->bytes(), bytes);
    EXPECT_EQ(MappedLease::Classes().For(bytes).value(), lease->size_class());
    EXPECT_FALSE(lease->has_ended());
    EXPECT_FALSE(lease->shared);
    EXPECT_FALSE(ended_.contains(lease->granted.lease_id()));
    EXPECT_TRUE(source_->IsOutstanding(lease->granted.lease_id()));
    // Mapped, and nobody else's.
    EXPECT_TRUE(used_.insert(lease->segment.data()).second);
    *lease->segment.data() = std::byte{1};
    in_use_.push_back(lease);
  }

  MappedLease* TakeOneInUse() {
    std::swap(in_use_[Below(in_use_.size())], in_use_.back());
    MappedLease* const lease = in_use_.back();
    in_use_.pop_back();
    used_.erase(lease->segment.data());
    return lease;
  }

  void GiveBackOne() {
    MappedLease* const lease = TakeOneInUse();
    const std::string id = lease->granted.lease_id();
    const bool unfit = lease->shared || lease->has_ended();
    const bool kept = GiveBack(lease);
    EXPECT_FALSE(kept && unfit);
    if (!kept) {
      EXPECT_FALSE(source_->IsOutstanding(id));
    }
  }

  // The daemon's verdict on any lease, in use or not.
  void EndOne() {
    for (uint64_t number = source_->granted(); number > 0; --number) {
      const std::string id = "lease " + std::to_string(number);
      if (!source_->IsOutstanding(id) || Below(4) != 0) continue;
      source_->SayEnded(id);
      ended_.insert(id);
      return;
    }
  }

  void Step() {
    const uint64_t draw = Below(100);
    if (draw < 40) return LeaseOne();
    if (draw < 78) return in_use_.empty() ? LeaseOne() : GiveBackOne();
    if (draw < 88) return PassSome();
    if (draw < 91) return EndOne();
    if (draw < 94) return cache_->Trim(Below(2) * Below(kCap));
    if (draw < 95) return cache_->TrimSoon(Below(kCap));
    if (draw < 96) return source_->set_ready(Below(8));
    if (draw < 98 && !in_use_.empty()) {
      in_use_[Below(in_use_.size())]->shared = true;
    }
  }

  void PassSome() {
    clock_.Advance(absl::Milliseconds(Below(4) == 0 ? Below(3000) : Below(60)));
    cache_->Tick();
  }

  void Check() {
    cache_->CheckInvariants();
    const LeaseCacheStats stats = cache_->stats();
    EXPECT_LE(stats.idle_bytes, kCap);
    const size_t outstanding = source_->outstanding();
    // What is neither in use nor idle waits in the batch.
    EXPECT_GE(outstanding, in_use_.size() + stats.idle_leases);
    EXPECT_EQ(calls_.live().mappings, outstanding);
    EXPECT_LE(source_->outstanding_bytes(), kCapacity);
    EXPECT_LE(source_->outstanding_bytes() - stats.idle_bytes - BytesInUse(),
              UnmapBatch::kDefaultThresholdBytes);
  }

  uint64_t BytesInUse() const {
    uint64_t bytes = 0;
    for (const MappedLease* const lease : in_use_) bytes += lease->bytes();
    return bytes;
  }

  std::mt19937_64 random_{GetParam()};
  std::vector<MappedLease*> in_use_;
  std::set<std::byte*> used_;
  std::set<std::string> ended_;
  uint64_t refused_ = 0;
};

TEST_P(LeaseCacheModelTest, EveryLeaseIsSomewhereAndReleasedOnce) {
  Make({.max_bytes = kCap, .own_thread = false});
  source_->set_capacity(kCapacity);
  for (int i = 0; i < 20'000; ++i) {
    Step();
    Check();
    if (HasFailure()) FAIL() << "in step " << i;
  }
  const LeaseCacheStats stats = cache_->stats();
  EXPECT_GT(stats.hits, 1000u);
  EXPECT_GT(stats.misses, 1000u);
  EXPECT_GT(stats.released_surplus, 100u);
  EXPECT_GT(stats.prefetched, 100u);
  EXPECT_GT(stats.prefetched_unused, 10u);
  EXPECT_LT(stats.prefetched_unused, stats.prefetched);
  EXPECT_GT(refused_, 0u);
  while (!in_use_.empty()) GiveBackOne();
  // Everything decays, and then the cache sleeps.
  Pass(2 * LeaseCache::Options().idle + absl::Seconds(1));
  EXPECT_EQ(source_->outstanding(), 0u);
  EXPECT_EQ(cache_->Tick(), absl::InfiniteFuture());
  EXPECT_EQ(source_->reports().back().idle_bytes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeaseCacheModelTest, ::testing::Range(1u, 7u));

}  // namespace
}  // namespace warmpool
