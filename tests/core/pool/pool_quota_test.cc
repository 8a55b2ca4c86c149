// What a uid's limits cover: segments that its processes have after their
// leases ended, too.
#include <errno.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/byte_size.h"
#include "core/pool/pool.h"
#include "gmock/gmock-matchers.h"
#include "tests/core/engine/segment_pool_fixture.h"
#include "tests/core/pool/pool_fixture.h"

namespace warmpool {
namespace {

using ::testing::HasSubstr;

class PoolQuotaTest : public PoolFixture {
 protected:
  static constexpr uint64_t kLimit = 64 * kKiB;

  static Pool::Options Limited() {
    Pool::Options options = InlineOptions();
    options.segments.capacity_bytes = kMiB;
    options.quota.max_bytes = kLimit;
    return options;
  }

  // Leases, maps, and releases without unmapping, until that is refused.
  // Returns how often it went well.
  int ReleaseMapped(uint64_t bytes, int most) {
    for (int i = 0; i < most; ++i) {
      absl::StatusOr<LeaseGrant> grant = Lease(kAlice, Request(bytes));
      if (!grant.ok()) {
        refusal_ = grant.status();
        return i;
      }
      mapped_.emplace_back(grant->path);
      EXPECT_THAT(Release(kAlice, *grant), IsOk());
    }
    return most;
  }

  // For as long as probes and evictions may take.
  void Settle() {
    for (int i = 0; i < 40; ++i) TickAfter(absl::Milliseconds(100));
  }

  std::vector<Misbehaving> mapped_;
  absl::Status refusal_;
};

TEST_F(PoolQuotaTest, WhatIsReleasedButStillMappedCountsUntilItIsNot) {
  Make(Limited());
  EXPECT_EQ(ReleaseMapped(60 * kKiB, 15), 1);
  EXPECT_THAT(refusal_, StatusIs(absl::StatusCode::kResourceExhausted,
                                 HasSubstr("unmap them")));
  // The others have all the rest.
  EXPECT_THAT(Lease(kCarol, Request(64 * kKiB)), IsOk());
  Settle();
  EXPECT_FALSE(Lease(kAlice, Request(60 * kKiB)).ok());
  mapped_.clear();
  Settle();
  EXPECT_THAT(Lease(kAlice, Request(60 * kKiB)), IsOk());
}

TEST_F(PoolQuotaTest, PuttingOffTheProofGivesNobodyMore) {
  Pool::Options options = Limited();
  options.segments.prove_within = absl::Milliseconds(20);
  Make(options);
  int released = 0;
  // Of each class one, for none is leased again then.
  for (const uint64_t bytes : {32 * kKiB, 20 * kKiB, 8 * kKiB, 16 * kKiB}) {
    released += ReleaseMapped(bytes, 1);
  }
  EXPECT_EQ(released, 3);
  EXPECT_EQ(In(ByteState::kQuarantined), 60 * kKiB);
}

TEST_F(PoolQuotaTest, ItsSegmentsCountAsLeases) {
  Pool::Options options = Limited();
  options.quota.max_bytes = kGiB;
  options.quota.max_leases = 5;
  Make(options);
  EXPECT_EQ(ReleaseMapped(4 * kKiB, 10), 5);
  EXPECT_THAT(refusal_, StatusIs(absl::StatusCode::kResourceExhausted,
                                 HasSubstr("of the 5 that one uid may have")));
  mapped_.clear();
  Settle();
  EXPECT_THAT(Lease(kAlice, Request(4 * kKiB)), IsOk());
}

// A client that keeps to the rules has all of its limit, warm, again and again.
TEST_F(PoolQuotaTest, WhatIsReleasedInOrderCountsNoMore) {
  for (const absl::Duration within :
       {absl::ZeroDuration(), absl::Milliseconds(20)}) {
    Pool::Options options = Limited();
    options.segments.prove_within = within;
    Make(options);
    for (int i = 0; i < 10; ++i) {
      // In turn, so that none is what the one before was.
      const LeaseGrant grant =
          LeaseOrDie(kAlice, i % 2 == 0 ? kLimit : kLimit - 8 * kKiB);
      EXPECT_EQ(grant.warmth, i < 2 ? Warmth::kFresh : Warmth::kWarm) << i;
      EXPECT_THAT(Release(kAlice, grant), IsOk());
    }
  }
}

TEST_F(PoolQuotaTest, RetainedSegmentsThatAProcessOpensCountFromTheirEviction) {
  Pool::Options options = Limited();
  options.segments.bigcache.decay = absl::Milliseconds(10);
  Make(options);
  const LeaseGrant grant = LeaseOrDie(kAlice, 60 * kKiB);
  ASSERT_THAT(Release(kAlice, grant), IsOk());
  mapped_.emplace_back(grant.path);
  Settle();
  ASSERT_EQ(In(ByteState::kQuarantined), 64 * kKiB);
  EXPECT_FALSE(Lease(kAlice, Request(4 * kKiB)).ok());
  mapped_.clear();
  Settle();
  EXPECT_THAT(Lease(kAlice, Request(kLimit)), IsOk());
}

TEST_F(PoolQuotaTest, ALeaseThatIsNotGrantedLeavesNothingCounted) {
  Make(Limited());
  calls_.FailNext(SystemCalls::Call::kFallocate, ENOSPC, /*times=*/100);
  EXPECT_FALSE(Lease(kAlice, Request(kLimit)).ok());
  calls_.StopFailing();
  EXPECT_THAT(Lease(kAlice, Request(kLimit)), IsOk());
}

}  // namespace
}  // namespace warmpool
